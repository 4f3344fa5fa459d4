#include "ckpt/shmem.h"

#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "ckpt/dump-priv.h"
#include "img/pagemap.h"

#define NUMBERS_FROM (UINT32_C(1) << 31) /* ids of System V are below */

struct segment {
	struct segment *next;
	uint64_t number;
	int fd;
};

struct dump_shmems {
	struct segment *first;
};

uint32_t shmem_number(struct dump *dump)
{
	return NUMBERS_FROM + dump->last_shmem++;
}

int shmem_note(struct dump *dump, uint64_t number, int *fd, struct error *err)
{
	struct dump_shmems *all = dump->shmems;
	struct segment *segment = arena_new(&dump->arena, struct segment);

	if (!all)
		all = dump->shmems = arena_new(&dump->arena, struct dump_shmems);
	if (!all || !segment)
		return err_oom(err);
	segment->number = number;
	segment->fd = take_fd(fd);
	segment->next = all->first;
	all->first = segment;
	return 0;
}

/* For files that can't be spliced from, those of huge pages; 1: done, 0: it was all zero. */
static int copy_huge_page(int from, int to, char *buf, size_t page, uint64_t at, struct error *err)
{
	int r = fd_pread_all(from, buf, page, at);

	if (r < 0)
		return err_set(err, r, "read huge page of shared memory: %s", strerror(-r));
	/* Such files don't tell their holes. */
	if (!buf[0] && !memcmp(buf, buf + 1, page - 1))
		return 0;
	r = fd_write_all(to, buf, page);
	return r < 0 ? err_set(err, r, "write huge page of shared memory: %s", strerror(-r)) : 1;
}

static int write_huge(struct dump *dump, const struct segment *segment,
		      struct pagemap_writer *writer, uint64_t size, uint64_t page,
		      struct error *err)
{
	cleanup_free char *buf = malloc(page);
	int r = 0;

	if (!buf)
		return err_oom(err);
	for (uint64_t at = 0; at < size && r >= 0; at += page) {
		r = copy_huge_page(segment->fd, writer->pages_fd, buf, page, at, err);
		if (r > 0) {
			r = pagemap_add(writer, at, page / PAGEMAP_PAGE, PE_PRESENT, err);
			dump->shpages_written += page / PAGEMAP_PAGE;
		}
	}
	return r;
}

/* Whole pages, of which the last may reach beyond the end of the file. */
static int copy(struct dump *dump, int from, uint64_t start, uint64_t end, uint64_t size,
		struct pagemap_writer *writer, struct error *err)
{
	static const char zeros[PAGEMAP_PAGE];
	uint64_t stop = end < size ? end : size;
	off_t at = (off_t)start;
	int r = pagemap_add(writer, start, (end - start) / PAGEMAP_PAGE, PE_PRESENT, err);

	if (r < 0)
		return r;
	/* Straight from one page cache to the other: half of what read and write cost. */
	while ((uint64_t)at < stop) {
		ssize_t n = sendfile(writer->pages_fd, from, &at, stop - (uint64_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "copy shared memory");
		if (n == 0)
			return err_set(err, -EIO, "copy shared memory: it ends at %" PRIu64,
				       (uint64_t)at);
	}
	r = fd_write_all(writer->pages_fd, zeros, end - stop);
	if (r < 0)
		return err_set(err, r, "copy shared memory: %s", strerror(-r));
	dump->shpages_written += (end - start) / PAGEMAP_PAGE;
	return 0;
}

static int write_segment(struct dump *dump, const struct segment *segment, struct error *err)
{
	cleanup_pagemap_writer struct pagemap_writer writer = PAGEMAP_WRITER_INIT;
	struct statfs fs;
	struct stat st;
	off_t data = 0;
	off_t hole;
	int r;

	if (fstat(segment->fd, &st) < 0 || fstatfs(segment->fd, &fs) < 0)
		return err_sys(err, "stat shared memory %" PRIu64, segment->number);
	r = dump_pagemap_create(dump, &writer, IMG_KIND_PAGEMAP_SHMEM, segment->number, err);
	if (r < 0)
		return r;
	if (fs.f_type == HUGETLBFS_MAGIC) {
		r = write_huge(dump, segment, &writer, (uint64_t)st.st_size, (uint64_t)fs.f_bsize,
			       err);
		return r < 0 ? r : pagemap_finish(&writer, err);
	}
	while (data < st.st_size) {
		data = lseek(segment->fd, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? data : lseek(segment->fd, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(err, "find data of shared memory %" PRIu64, segment->number);
		/* Data begins with a page; it may end with the file, within one. */
		hole = (hole + (off_t)PAGEMAP_PAGE - 1) & ~((off_t)PAGEMAP_PAGE - 1);
		r = copy(dump, segment->fd, (uint64_t)data, (uint64_t)hole, (uint64_t)st.st_size,
			 &writer, err);
		if (r < 0)
			return r;
		data = hole;
	}
	return pagemap_finish(&writer, err);
}

int shmem_write(struct dump *dump, struct error *err)
{
	int r = 0;

	if (!dump->shmems)
		return 0;
	for (const struct segment *s = dump->shmems->first; s && r == 0; s = s->next)
		r = write_segment(dump, s, err);
	return r;
}

void shmem_done(struct dump *dump)
{
	if (!dump->shmems)
		return;
	for (struct segment *s = dump->shmems->first; s; s = s->next)
		cleanup_fd_p(&s->fd);
	dump->shmems = NULL;
}
