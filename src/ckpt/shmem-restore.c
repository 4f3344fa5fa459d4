/*
 * shmem-restore: one nameless file of the kernel's for each segment.
 *
 * M maps shared anonymous memory and opens the file behind it through
 * /proc/self/map_files: what its tasks map is then the same kind of object as
 * it was. R fills it, not M: its pages count for the cgroup of who touches
 * them first.
 */
#include "ckpt/shmem-restore.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/vma-status.h"
#include "img/pagemap.h"

#define COPY_MAX ((uint64_t)1 << 30) /* below the kernel's limit for one call */

struct rshmem {
	uint64_t id;
	uint64_t size;
	int staging;
};

struct rshmems {
	struct rshmem *v; /* ascending by id */
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct rshmem *)a)->id;
	uint64_t y = ((const struct rshmem *)b)->id;

	return x < y ? -1 : x > y;
}

static bool is_segment(const VmaEntry *v)
{
	return v->status & VMA_ANON_SHARED;
}

/* Each segment is as large as its farthest mapping says. */
static int collect(struct restore *r, struct error *err)
{
	struct rshmems *all = calloc(1, sizeof(*all));
	size_t n = 0;

	if (!all)
		return err_oom(err);
	r->shmems = all;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < r->n_tasks; i++) {
			const MmEntry *mm = r->tasks[i]->mm;

			for (size_t j = 0; mm && j < mm->n_vmas; j++) {
				const VmaEntry *v = mm->vmas[j];

				if (!is_segment(v))
					continue;
				if (pass)
					all->v[all->n++] =
						(struct rshmem){ .id = v->shmid,
								 .size = v->pgoff +
									 (v->end - v->start),
								 .staging = -1 };
				else
					n++;
			}
		}
		if (!pass)
			all->v = calloc(n + 1, sizeof(*all->v));
		if (!all->v)
			return err_oom(err);
	}
	qsort(all->v, all->n, sizeof(*all->v), by_id);
	n = 0;
	for (size_t i = 0; i < all->n; i++) {
		if (n && all->v[n - 1].id == all->v[i].id) {
			if (all->v[n - 1].size < all->v[i].size)
				all->v[n - 1].size = all->v[i].size;
		} else {
			all->v[n++] = all->v[i];
		}
	}
	all->n = n;
	return 0;
}

void shmem_restore_done(struct restore *r)
{
	if (r->shmems)
		free(r->shmems->v);
	free(r->shmems);
	r->shmems = NULL;
}

/* The file behind new shared memory of that size. */
static int make_segment(uint64_t size, int *ret_fd, struct error *err)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char path[64];
	int fd;
	int r = 0;

	if (at == MAP_FAILED)
		return err_sys(err, "map %" PRIu64 " bytes of shared memory", size);
	(void)snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIxPTR "-%" PRIxPTR,
		       (uintptr_t)at, (uintptr_t)at + (uintptr_t)size); /* always fits */
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		r = err_sys(err, "open '%s'", path);
	(void)munmap(at, size); /* the file holds it */
	if (r < 0)
		return r;
	*ret_fd = fd;
	return 0;
}

int shmem_new(struct restore *r, uint64_t size, struct error *err)
{
	int fd = -EBADF;
	int ret = make_segment(size, &fd, err);

	return ret < 0 ? ret : fd_stage_consume(r, fd, err);
}

static void tape_copy(struct restore *r, int from, int to, uint64_t at, uint64_t offset,
		      uint64_t len)
{
	struct tape *tape = r->root->build;

	tape_call(tape, SYS_lseek,
		  TAPE_ARGS(tape_imm((uint64_t)to), tape_imm(at), tape_imm(SEEK_SET)),
		  "filling shared memory at %#" PRIx64, at);
	while (len) {
		uint64_t n = len < COPY_MAX ? len : COPY_MAX;
		uint64_t where = area_add(&r->area, &offset, sizeof(offset));
		uint32_t entry =
			tape_call(tape, SYS_sendfile,
				  TAPE_ARGS(tape_imm((uint64_t)to), tape_imm((uint64_t)from),
					    tape_at(where), tape_imm(n)),
				  "filling shared memory at %#" PRIx64, at);

		tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)n);
		at += n;
		offset += n;
		len -= n;
	}
}

int shmem_tape_fill(struct restore *r, uint64_t id, uint64_t size, int staging, struct error *err)
{
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;
	int dir = r->opts->images_dir;
	int from = -1;
	int ret = pagemap_open(&map, dir, IMG_KIND_PAGEMAP_SHMEM, id, err);

	if (ret == -ENOENT) /* never touched */
		return 0;
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < map.n_runs; i++) {
		const struct pagemap_run *run = &map.runs[i];

		if (!(run->flags & PE_PRESENT))
			return err_set(err, -EOPNOTSUPP,
				       "shared memory %" PRIu64 ": pages in older images (parent) "
				       "can't be used yet",
				       id);
		if (run->vaddr >= size ||
		    pagemap_run_end(run) - run->vaddr >
			    ((size + PAGEMAP_PAGE - 1) & ~(uint64_t)(PAGEMAP_PAGE - 1)) -
				    run->vaddr)
			return err_set(err, -EBADMSG,
				       "shared memory %" PRIu64 ": a page beyond its end", id);
		if (from < 0) {
			from = fd_stage_consume(r, take_fd(&map.pages_fd), err);
			if (from < 0)
				return from;
		}
		r->pages += run->nr_pages;
		tape_copy(r, from, staging, run->vaddr, run->offset,
			  pagemap_run_end(run) - run->vaddr);
	}
	return 0;
}

int shmem_stage(struct restore *r, uint64_t id, struct error *err)
{
	struct rshmem key = { .id = id };
	struct rshmem *segment;
	int ret = r->shmems ? 0 : collect(r, err);

	if (ret < 0)
		return ret;
	segment = bsearch(&key, r->shmems->v, r->shmems->n, sizeof(key), by_id);
	if (!segment)
		return err_set(err, -EBADMSG, "shared memory %" PRIu64 " is mapped nowhere", id);
	if (segment->staging >= 0)
		return segment->staging;
	ret = shmem_new(r, segment->size, err);
	if (ret < 0)
		return ret;
	segment->staging = ret;
	ret = shmem_tape_fill(r, id, segment->size, segment->staging, err);
	return ret < 0 ? ret : segment->staging;
}
