/*
 * shmem-restore: shared anonymous memory of a tree that is being rebuilt.
 */
#pragma once

#include <stdint.h>

struct error;
struct restore;

/* The staging number of a segment, which R fills from pagemap-shmem-ID.img. Its mappings are
 * made from there. */
int shmem_stage(struct restore *r, uint64_t id, struct error *err);
void shmem_restore_done(struct restore *r);

/* A new, empty segment; its staging number. `huge`: what memfd_huge_flag() says, or 0. */
int shmem_new(struct restore *r, uint64_t size, uint32_t huge, struct error *err);
/* R's tape: the segment's pages are written to that descriptor, as shmem_new()
 * made it. */
int shmem_tape_fill(struct restore *r, uint64_t id, uint64_t size, int staging, uint32_t huge,
		    struct error *err);
