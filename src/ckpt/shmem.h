/*
 * shmem: the content of memory that is shared: memfds, anonymous segments, System V's.
 *
 * Each segment is a file in memory, and has a number in the images; its pages
 * are in pagemap-shmem-N.img. System V segments have their ids for numbers, as
 * CRIU has it; so those of others are taken from where no id is.
 */
#pragma once

#include <stdint.h>

struct dump;
struct error;

/* A number for a segment that has no id of its own. */
uint32_t shmem_number(struct dump *dump);

/* The file's pages are saved as those of the segment with that number. The descriptor is taken
 * on success. */
int shmem_note(struct dump *dump, uint64_t number, int *fd, struct error *err);

/* All segments noted. */
int shmem_write(struct dump *dump, struct error *err);
void shmem_done(struct dump *dump);
