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

#define WINDOW ((uint64_t)1 << 30) /* below the kernel's limit for one call */
#define WINDOW_TAKEN (3 * WINDOW)  /* for its alignment, and that of what is in it */
#define HUGE_DEFAULT_SHIFT 21
#define HUGE_SIZE ((uint32_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT)

struct rshmem {
	uint64_t id;
	uint64_t size;
	uint32_t huge; /* as memfd_huge_flag() has it */
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
								 .huge = v->flags & HUGE_SIZE,
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
	if (r->shmem_window)
		(void)munmap((void *)(uintptr_t)r->shmem_window, WINDOW_TAKEN);
	r->shmem_window = 0;
}

/* The file behind new shared memory of that size. */
static int make_segment(uint64_t size, uint32_t huge, int *ret_fd, struct error *err)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE |
				(huge ? MAP_HUGETLB | (int)huge : 0),
			-1, 0);
	char path[64];
	int fd;
	int r = 0;

	if (at == MAP_FAILED) {
		r = err_sys(err, "map %" PRIu64 " bytes of shared memory%s", size,
			    huge ? " of huge pages" : "");
		if (huge)
			err_hint(err, "/proc/sys/vm/nr_hugepages says how many there are");
		return r;
	}
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

int shmem_new(struct restore *r, uint64_t size, uint32_t huge, struct error *err)
{
	int fd = -EBADF;
	int ret = make_segment((size + PAGEMAP_PAGE - 1) & ~(uint64_t)(PAGEMAP_PAGE - 1), huge, &fd,
			       err);

	return ret < 0 ? ret : fd_stage_consume(r, fd, err);
}

/* Addresses that are free in R until it becomes itself, and in M; room for a run, on the border
 * of a huge page of any size. */
static int get_window(struct restore *r, uint64_t *ret_at, struct error *err)
{
	if (!r->shmem_window) {
		void *at = mmap(NULL, WINDOW_TAKEN, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (at == MAP_FAILED)
			return err_sys(err, "find %" PRIu64 " bytes of free addresses",
				       WINDOW_TAKEN);
		r->shmem_window = (uint64_t)(uintptr_t)at;
	}
	*ret_at = (r->shmem_window + WINDOW - 1) & ~(WINDOW - 1);
	return 0;
}

/*
 * Runs that lie one behind the other in the pages file. It is mapped, so each
 * is written to the segment by one call that copies each byte once: half of
 * what sendfile(2), or reading into a mapping of the segment, takes.
 */
static void tape_batch(struct restore *r, const struct pagemap_run *runs, size_t n, int from,
		       int to, uint64_t window)
{
	const struct pagemap_run *last = &runs[n - 1];
	uint64_t len = last->offset + last->nr_pages * PAGEMAP_PAGE - runs->offset;
	struct tape *tape = r->root->build;
	uint32_t entry;

	entry = tape_call(tape, SYS_mmap,
			  TAPE_ARGS(tape_imm(window), tape_imm(len), tape_imm(PROT_READ),
				    tape_imm(MAP_PRIVATE | MAP_FIXED), tape_imm((uint64_t)from),
				    tape_imm(runs->offset)),
			  "reading shared memory from %#" PRIx64, runs->offset);
	tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)window);
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = runs[i].nr_pages * PAGEMAP_PAGE;

		entry = tape_call(tape, SYS_pwrite64,
				  TAPE_ARGS(tape_imm((uint64_t)to),
					    tape_imm(window + runs[i].offset - runs->offset),
					    tape_imm(bytes), tape_imm(runs[i].vaddr)),
				  "filling shared memory at %#" PRIx64, runs[i].vaddr);
		tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)bytes);
	}
}

/* Files of huge pages can't be written to: they are read into, where they are mapped. */
static void tape_huge_run(struct restore *r, const struct pagemap_run *run, uint64_t page, int from,
			  int to, uint64_t window)
{
	uint64_t start = run->vaddr & ~(page - 1);
	uint64_t len = (pagemap_run_end(run) - start + page - 1) & ~(page - 1);
	uint64_t bytes = run->nr_pages * PAGEMAP_PAGE;
	struct tape *tape = r->root->build;
	uint32_t entry = tape_call(tape, SYS_mmap,
				   TAPE_ARGS(tape_imm(window), tape_imm(len),
					     tape_imm(PROT_READ | PROT_WRITE),
					     tape_imm(MAP_SHARED | MAP_FIXED),
					     tape_imm((uint64_t)to), tape_imm(start)),
				   "huge pages at %#" PRIx64 " of shared memory", start);

	tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)window);
	entry = tape_call(tape, SYS_pread64,
			  TAPE_ARGS(tape_imm((uint64_t)from), tape_imm(window + run->vaddr - start),
				    tape_imm(bytes), tape_imm(run->offset)),
			  "filling huge pages at %#" PRIx64, run->vaddr);
	tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)bytes);
	tape_call(tape, SYS_munmap, TAPE_ARGS(tape_imm(window), tape_imm(len)),
		  "filling huge pages at %#" PRIx64, run->vaddr);
}

static int check_run(const struct pagemap_run *run, uint64_t id, uint64_t size, struct error *err)
{
	uint64_t end = (size + PAGEMAP_PAGE - 1) & ~(uint64_t)(PAGEMAP_PAGE - 1);

	if (!(run->flags & PE_PRESENT))
		return err_set(err, -EOPNOTSUPP,
			       "shared memory %" PRIu64 ": pages in older images (parent) "
			       "can't be used yet",
			       id);
	if (run->vaddr >= size || pagemap_run_end(run) > end)
		return err_set(err, -EBADMSG, "shared memory %" PRIu64 ": a page beyond its end",
			       id);
	return 0;
}

static uint64_t huge_size(uint32_t huge)
{
	uint32_t shift = huge >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	return UINT64_C(1) << (shift ? shift : HUGE_DEFAULT_SHIFT);
}

/* No run is longer than a window, and what is adjacent in one is in it as a whole. */
static int cut_runs(const struct pagemap *map, uint64_t id, uint64_t size,
		    struct pagemap_run **ret_runs, size_t *ret_n, struct error *err)
{
	struct pagemap_run *cut = NULL;
	size_t n = 0;
	size_t max = map->n_runs;

	for (size_t i = 0; i < map->n_runs; i++)
		max += map->runs[i].nr_pages / (WINDOW / PAGEMAP_PAGE);
	cut = calloc(max + 1, sizeof(*cut));
	if (!cut)
		return err_oom(err);
	for (size_t i = 0; i < map->n_runs; i++) {
		struct pagemap_run left = map->runs[i];
		int ret = check_run(&left, id, size, err);

		if (ret < 0) {
			free(cut);
			return ret;
		}
		while (left.nr_pages) {
			uint64_t pages = left.nr_pages;

			if (pages > WINDOW / PAGEMAP_PAGE)
				pages = WINDOW / PAGEMAP_PAGE;
			cut[n] = left;
			cut[n++].nr_pages = pages;
			left.nr_pages -= pages;
			left.vaddr += pages * PAGEMAP_PAGE;
			left.offset += pages * PAGEMAP_PAGE;
		}
	}
	*ret_runs = cut;
	*ret_n = n;
	return 0;
}

static void tape_runs(struct restore *r, const struct pagemap_run *runs, size_t n, int from, int to,
		      uint64_t window)
{
	size_t first = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t end = runs[i].offset + runs[i].nr_pages * PAGEMAP_PAGE;

		r->pages += runs[i].nr_pages;
		if (end - runs[first].offset > WINDOW) {
			tape_batch(r, runs + first, i - first, from, to, window);
			first = i;
		}
	}
	if (first < n)
		tape_batch(r, runs + first, n - first, from, to, window);
}

int shmem_tape_fill(struct restore *r, uint64_t id, uint64_t size, int staging, uint32_t huge,
		    struct error *err)
{
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;
	cleanup_free struct pagemap_run *runs = NULL;
	uint64_t window = 0;
	size_t n = 0;
	int from;
	int ret = huge_size(huge) > WINDOW
			  ? err_set(err, -EOPNOTSUPP, "huge pages of %" PRIu64 " bytes",
				    huge_size(huge))
			  : 0;

	if (ret >= 0)
		ret = pagemap_open(&map, r->opts->images_dir, IMG_KIND_PAGEMAP_SHMEM, id, err);

	if (ret == -ENOENT) /* never touched */
		return 0;
	if (ret >= 0)
		ret = cut_runs(&map, id, size, &runs, &n, err);
	if (ret < 0 || !n)
		return ret < 0 ? ret : 0;
	from = fd_stage_consume(r, take_fd(&map.pages_fd), err);
	if (from < 0)
		return from;
	ret = get_window(r, &window, err);
	if (ret < 0)
		return ret;
	if (!huge) {
		tape_runs(r, runs, n, from, staging, window);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		r->pages += runs[i].nr_pages;
		tape_huge_run(r, &runs[i], huge_size(huge), from, staging, window);
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
	ret = shmem_new(r, segment->size, segment->huge, err);
	if (ret < 0)
		return ret;
	segment->staging = ret;
	ret = shmem_tape_fill(r, id, segment->size, segment->staging, segment->huge, err);
	return ret < 0 ? ret : segment->staging;
}
