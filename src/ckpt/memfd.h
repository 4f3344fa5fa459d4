/*
 * memfd: files in memory that have no name: of memfd_create(2), and the kernel's own behind
 * shared anonymous memory. The halves besides those in the tables of kinds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What shared anonymous memory is called, of small pages and huge ones. */
#define ANONYMOUS "/dev/zero"
#define HUGE_ANONYMOUS "/anon_hugepage"

struct dump;
struct dump_fd;
struct error;
struct fd_look;
struct restore;
struct rfile;
struct tape;

/* Also for what no descriptor but a mapping shows. */
bool memfd_is(const struct fd_look *look);
void memfds_done(struct dump *dump);
/* The flag for mmap(2) and memfd_create(2) that says how large huge pages are. */
uint32_t memfd_huge_flag(uint64_t page_size);

/* R's tape: the file opened with these flags; returns the entry whose result is the descriptor. */
int memfd_open(struct restore *r, struct tape *tape, struct rfile *file, uint32_t flags,
	       uint32_t *ret_slot, struct error *err);
/* The staging number of one description that can read and write. */
int memfd_stage(struct restore *r, struct rfile *file, struct error *err);
/* R's tape, when all is open. */
void memfds_tape_seal(struct restore *r, struct tape *tape);
/* Seals that must wait until all tasks have mapped; 1: there are some, and R keeps what it
 * needs to set them. */
int memfds_seal_late(struct restore *r, struct error *err);
void memfds_tape_seal_late(struct restore *r);
void memfds_restore_done(struct restore *r);
