/*
 * memfd: files of memfd_create(2). The halves besides those in the tables of kinds.
 */
#pragma once

#include <stdint.h>

struct dump;
struct dump_fd;
struct error;
struct fd_look;
struct restore;
struct rfile;
struct tape;

void memfds_done(struct dump *dump);

/* R's tape: the file opened with these flags; returns the entry whose result is the descriptor. */
int memfd_open(struct restore *r, struct tape *tape, struct rfile *file, uint32_t flags,
	       uint32_t *ret_slot, struct error *err);
/* ... mapped shared and writable: a seal may forbid that once it is set. */
int memfd_check_mapped(struct restore *r, struct rfile *file, struct error *err);
/* R's tape, when all is open. */
void memfds_tape_seal(struct restore *r, struct tape *tape);
void memfds_restore_done(struct restore *r);
