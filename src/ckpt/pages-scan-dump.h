/*
 * pages-scan: which pages of a stopped task are its own.
 *
 * Own are those that no file has: present or swapped, neither the file's nor
 * the zero page. No byte is read for that. Reservations cost nothing, however
 * large: where there are no page tables, there is nothing to walk.
 *
 *	PAGEMAP_SCAN       one ioctl for thousands of stretches, across mappings
 *	/proc/PID/pagemap  before Linux 6.7: a word a page, where smaps counts some
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dump_task;
struct error;

struct pages_stretch {
	uint64_t start;
	uint64_t end;
	size_t vma;   /* index in task->vmas: all of it is in there */
	bool guard;   /* MADV_GUARD_INSTALL: touching them is SIGSEGV; else own */
	bool written; /* since the mapping is tracked (track.h); without that: always */
};

struct pages_scan;

/* `protect`: tracking begins anew with what is told; mappings without it are left out. */
int pages_scan_begin(const struct dump_task *task, bool protect, struct pages_scan **ret_scan,
		     struct error *err);
/* In address order. 1: there is one; 0: that was all. */
int pages_scan_next(struct pages_scan *scan, struct pages_stretch *ret_stretch, struct error *err);
/* Accepts NULL. */
void pages_scan_free(struct pages_scan *scan);
