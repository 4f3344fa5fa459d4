/*
 * mem-restore: between the mappings of a task and what is in them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct pages_plan {
	struct pages_piece *pieces;
	size_t n;
	size_t size; /* allocated */
	bool vdso_seen;
};

#define PAGES_PLAN_INIT                                                                            \
	{                                                                                          \
		.pieces = NULL                                                                     \
	}

/* Where the content of the task's private memory comes from. filled[i] says how many bytes
 * mapping i gets. */
int pages_plan(struct restore *r, struct rtask *t, struct pages_plan *plan, uint64_t *filled,
	       struct error *err);
void pages_tape(struct restore *r, struct rtask *t, const struct pages_plan *plan);
void pages_plan_done(struct pages_plan *plan);

#define cleanup_pages __attribute__((cleanup(pages_plan_done)))
