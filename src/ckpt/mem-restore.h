/*
 * mem-restore: between the mappings of a task, what is in them, and whom it
 * shares them with.
 *
 *	mem_plan()   mem-restore      each task: mappings checked, files staged, pages found
 *	cow_plan()   cow-restore      which tasks inherit pages from the task that forks them
 *	mem_tape()   mem-tape-restore each task: unmap, map, fill, protect
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ckpt/vma-status.h"
#include "img/pb/vma.pb-c.h"

struct error;
struct restore;
struct rtask;

/* Bytes of a staging descriptor that belong at an address. */
struct pages_piece {
	uint64_t addr;
	uint64_t len;
	uint64_t offset;
	int fd;
};

struct pages_list {
	struct pages_piece *pieces; /* ascending */
	size_t n;
	size_t size; /* allocated */
};

/* Addresses that a task has from its donor as they are. */
struct mem_kept {
	uint64_t start;
	uint64_t end;
	size_t own;   /* index of its mapping */
	size_t donor; /* and of the donor's */
};

struct mem_plan {
	struct pages_list pages; /* all that the images have for the task */
	bool vdso_seen;
	uint64_t *filled; /* bytes in the images, for each mapping */
	int *fds;	  /* staging descriptor behind each mapping; -1: none */
	int exe_fd;

	/* What the tape does: without a donor, `reads` is `pages`, the rest is empty. */
	struct pages_list reads;
	uint64_t *read; /* bytes that are read, for each mapping */
	struct mem_kept *kept;
	size_t n_kept;
	size_t kept_size;	 /* allocated */
	struct pages_list drops; /* pages of the donor that the task has not; no fd */
};

/* Mappings that the tape makes; the others are the kernel's, or no mappings. */
static inline bool vma_is_ours(const VmaEntry *v)
{
	return !(v->status & (VMA_AREA_VSYSCALL | VMA_AREA_VDSO | VMA_AREA_VVAR | VMA_AREA_GUARD));
}

/* Protection while its pages are read. */
static inline uint32_t mem_working_prot(const struct mem_plan *plan, size_t vma, const VmaEntry *v)
{
	return v->prot | (plan->read[vma] ? 2 /* PROT_WRITE */ : 0);
}

void mem_plan_free(struct mem_plan *plan);

int pages_list_add(struct pages_list *list, const struct pages_piece *piece, struct error *err);
/* Where the content of the task's private memory comes from: plan->pages and ->filled. */
int pages_plan(struct restore *r, struct rtask *t, struct mem_plan *plan, struct error *err);
/* Its memory tape reads those pages where they belong. */
void pages_tape(struct restore *r, struct rtask *t, const struct pages_list *list);
/* fill-restore.c: its memory tape reads all that the plan says. */
int fill_tape(struct restore *r, struct rtask *t, struct error *err);
