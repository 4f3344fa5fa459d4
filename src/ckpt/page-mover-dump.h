/*
 * page-mover: bytes of tasks into pages-N.img.
 *
 * What is added comes to lie in the file in that order, without gaps. It is
 * collected into chunks of up to 1 MiB, and the chunks are copied by a few
 * threads at once (base/crew.h), each through a buffer that stays in its
 * processor's cache:
 *
 *	source      process_vm_readv(2)     buffer     pwrite(2)      pages-N.img
 *	runs        /proc/PID/mem        ----------->              -> at the chunk's offset
 *
 * So reading here overlaps with writing there; together they take no longer
 * than the writing alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct page_mover;

/* Where the bytes are. */
enum page_source {
	PAGE_SOURCE_READABLE, /* the task may read it itself */
	PAGE_SOURCE_FORCED,   /* it may not (PROT_NONE) */
};

struct page_mover *page_mover_new(void); /* NULL: out of memory */
void page_mover_free(struct page_mover *mover);

/* What follows comes from that task and goes to pages_fd, which is borrowed. A task that runs
 * may give pages back meanwhile: they are zero then. */
void page_mover_begin(struct page_mover *mover, pid_t host_pid, bool runs, int pages_fd);

int page_mover_add(struct page_mover *mover, enum page_source source, uint64_t start, uint64_t len,
		   struct error *err);

/* All that was added is in the file. */
int page_mover_end(struct page_mover *mover, struct error *err);

/* Time spent in copying, all in all. */
uint64_t page_mover_ns(const struct page_mover *mover);
