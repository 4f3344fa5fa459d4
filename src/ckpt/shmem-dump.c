#include "ckpt/shmem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "ckpt/dump-priv.h"
#include "ckpt/vma-status.h"
#include "img/pagemap.h"

#define COPY_SIZE ((size_t)1 << 20)

struct segment {
	struct segment *next;
	uint64_t ino;
	int fd;
};

struct dump_shmems {
	void *by_ino; /* tsearch(3) */
	struct segment *first;
};

static int by_ino(const void *a, const void *b)
{
	uint64_t ia = ((const struct segment *)a)->ino;
	uint64_t ib = ((const struct segment *)b)->ino;

	return ia < ib ? -1 : ia > ib;
}

int shmem_note(struct dump *dump, struct dump_task *task, const struct proc_vma *vma,
	       const char *link, VmaEntry *entry, struct error *err)
{
	struct dump_shmems *all = dump->shmems;
	struct segment *segment;
	struct segment **found;

	if (!all) {
		all = dump->shmems = arena_new(&dump->arena, struct dump_shmems);
		if (!all)
			return err_oom(err);
	}
	entry->flags |= MAP_ANONYMOUS;
	entry->status |= VMA_ANON_SHARED;
	entry->shmid = vma->ino;
	entry->has_fdflags = false;

	segment = arena_new(&dump->arena, struct segment);
	if (!segment)
		return err_oom(err);
	segment->ino = vma->ino;
	segment->fd = -EBADF;
	found = tsearch(segment, &all->by_ino, by_ino);
	if (!found)
		return err_oom(err);
	if (*found != segment)
		return 0;
	segment->next = all->first;
	all->first = segment;
	segment->fd = openat(task->proc, link, O_RDONLY | O_CLOEXEC);
	if (segment->fd < 0)
		return err_sys(err, "task %d: open '%s'", task->host_pid, link);
	return 0;
}

int shmem_note_file(struct dump *dump, uint64_t ino, int *fd, struct error *err)
{
	struct dump_shmems *all = dump->shmems;
	struct segment *segment = arena_new(&dump->arena, struct segment);

	if (!all)
		all = dump->shmems = arena_new(&dump->arena, struct dump_shmems);
	if (!all || !segment)
		return err_oom(err);
	segment->ino = ino;
	segment->fd = take_fd(fd);
	segment->next = all->first;
	all->first = segment;
	return 0;
}

/* Whole pages, of which the last may reach beyond the end of the file. */
static int read_pages(int from, char *buf, size_t len, uint64_t at, uint64_t size)
{
	size_t there = at + len > size ? (size_t)(size - at) : len;

	memset(buf + there, 0, len - there);
	return fd_pread_all(from, buf, there, at);
}

static int copy(struct dump *dump, int from, uint64_t start, uint64_t end,
		struct pagemap_writer *writer, char *buf, uint64_t size, struct error *err)
{
	int r;

	r = pagemap_add(writer, start, (end - start) / PAGEMAP_PAGE, PE_PRESENT, err);
	for (uint64_t at = start; at < end && r == 0; at += COPY_SIZE) {
		size_t len = end - at < COPY_SIZE ? (size_t)(end - at) : COPY_SIZE;

		r = read_pages(from, buf, len, at, size);
		if (r == 0)
			r = fd_write_all(writer->pages_fd, buf, len);
		if (r < 0)
			return err_set(err, r, "copy shared memory: %s", strerror(-r));
	}
	dump->shpages_written += (end - start) / PAGEMAP_PAGE;
	return r;
}

static int write_segment(struct dump *dump, const struct segment *segment, char *buf,
			 struct error *err)
{
	cleanup_pagemap_writer struct pagemap_writer writer = PAGEMAP_WRITER_INIT;
	struct stat st;
	off_t data = 0;
	off_t hole;
	int r;

	if (fstat(segment->fd, &st) < 0)
		return err_sys(err, "stat shared memory %" PRIu64, segment->ino);
	r = dump_pagemap_create(dump, &writer, IMG_KIND_PAGEMAP_SHMEM, segment->ino, err);
	if (r < 0)
		return r;
	while (data < st.st_size) {
		data = lseek(segment->fd, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? data : lseek(segment->fd, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(err, "find data of shared memory %" PRIu64, segment->ino);
		/* Data begins with a page; it may end with the file, within one. */
		hole = (hole + (off_t)PAGEMAP_PAGE - 1) & ~((off_t)PAGEMAP_PAGE - 1);
		r = copy(dump, segment->fd, (uint64_t)data, (uint64_t)hole, &writer, buf,
			 (uint64_t)st.st_size, err);
		if (r < 0)
			return r;
		data = hole;
	}
	return pagemap_finish(&writer, err);
}

int shmem_write(struct dump *dump, struct error *err)
{
	cleanup_free char *buf = NULL;
	int r = 0;

	if (!dump->shmems)
		return 0;
	buf = malloc(COPY_SIZE);
	if (!buf)
		return err_oom(err);
	for (const struct segment *s = dump->shmems->first; s && r == 0; s = s->next)
		r = write_segment(dump, s, buf, err);
	return r;
}

static void keep(void *node UNUSED)
{
}

void shmem_done(struct dump *dump)
{
	if (!dump->shmems)
		return;
	tdestroy(dump->shmems->by_ino, keep);
	for (struct segment *s = dump->shmems->first; s; s = s->next)
		cleanup_fd_p(&s->fd);
	dump->shmems = NULL;
}
