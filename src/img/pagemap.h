/*
 * pagemap: the pages of an address space or a shared segment, and their index.
 *
 *	pagemap-ID.img   head {pages_id}, then runs {vaddr, nr_pages, flags} in address order
 *	pages-N.img      the bytes of all PRESENT runs, in the same order, without gaps
 *
 *	run      vaddr   nr_pages  flags        offset in pages-N.img
 *	  0      0x1000         2  PRESENT      0
 *	  1      0x8000         1  PARENT       -  (same place of the parent folder's images)
 *	  2      0x9000         3  PRESENT      2 * 4096
 *
 * A page that is in no run is zero (anonymous) or the file's own. For a
 * segment (IMG_KIND_PAGEMAP_SHMEM) vaddr is the offset in it.
 *
 * The writer keeps the index only: the caller moves the bytes to pages_fd as
 * it likes (write, splice), in the order of its pagemap_add() calls.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "img/image.h"

#define PAGEMAP_PAGE 4096u

/* Flags of a run; the values stand in the images. */
#define PE_PARENT (1u << 0)
#define PE_LAZY (1u << 1)
#define PE_PRESENT (1u << 2)

struct error;

struct pagemap_run {
	uint64_t vaddr;
	uint64_t nr_pages;
	uint32_t flags;
	uint64_t offset; /* PRESENT: of its bytes in the pages file; else of the next that has some
			  */
};

/* ---- writing ---- */

struct pagemap_writer {
	struct image index;
	int pages_fd; /* the caller writes here; owned, unless lent */
	bool lent;
	uint32_t pages_id;
	struct pagemap_run open; /* grows as long as what comes is adjacent; nr_pages 0: none */
	uint64_t present_pages;	 /* in all runs so far */
};

#define PAGEMAP_WRITER_INIT                                                                        \
	{                                                                                          \
		.index = IMAGE_INIT, .pages_fd = -EBADF                                            \
	}

/* Both files are created. `pages_id` must be unique in the folder, from 1. */
int pagemap_create(struct pagemap_writer *writer, int dirfd, enum img_kind kind, uint64_t id,
		   uint32_t pages_id, struct error *err);

/* The same in two empty files that are open and stay open; see image_create_on(). */
int pagemap_create_on(struct pagemap_writer *writer, int index_fd, int pages_fd, enum img_kind kind,
		      uint64_t id, uint32_t pages_id, struct error *err);

/* Addresses must ascend. Adjacent runs with equal flags become one. */
int pagemap_add(struct pagemap_writer *writer, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
		struct error *err);

/* Closes both files, having checked that the pages file has all bytes that were announced. */
int pagemap_finish(struct pagemap_writer *writer, struct error *err);

/* Closes; an unfinished pagemap is abandoned. */
void pagemap_writer_done(struct pagemap_writer *writer);

#define cleanup_pagemap_writer __attribute__((cleanup(pagemap_writer_done)))

/* ---- reading ---- */

struct pagemap {
	uint32_t pages_id;
	int pages_fd; /* owned; -EBADF: the image is empty */
	uint64_t present_pages;
	struct pagemap_run *runs; /* in address order, no two overlap; owned */
	size_t n_runs;
};

#define PAGEMAP_INIT                                                                               \
	{                                                                                          \
		.pages_fd = -EBADF                                                                 \
	}

/*
 * Reads the whole index and opens the pages. -EBADMSG: runs that overlap, go
 * backwards, wrap around or are not whole pages, or a pages file that is too
 * short for them. -ENOENT: there is no such pagemap.
 */
int pagemap_open(struct pagemap *map, int dirfd, enum img_kind kind, uint64_t id,
		 struct error *err);

/* Index of the first run that ends behind the address; n_runs when there is none. */
size_t pagemap_find(const struct pagemap *map, uint64_t vaddr);

void pagemap_done(struct pagemap *map);

static inline uint64_t pagemap_run_end(const struct pagemap_run *run)
{
	return run->vaddr + run->nr_pages * PAGEMAP_PAGE;
}

#define cleanup_pagemap __attribute__((cleanup(pagemap_done)))
