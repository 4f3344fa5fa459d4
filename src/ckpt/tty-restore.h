/*
 * tty-restore: terminals of a tree that is being rebuilt.
 *
 * A pty is made from its master: R opens the ptmx of the tree's new devpts
 * until the number is right; of a devpts that is shared with others M does. The
 * master's staging number serves for settings and sessions, even if no task has
 * it open: of the console it goes out through the console socket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ckpt/tty.h"
#include "trace/tape.h"

struct error;
struct restore;
struct rfile;
struct rtask;

/* A pty, or another terminal that may be that of a session. */
struct rpty {
	uint32_t number; /* of the pair, in the images */
	uint32_t index;
	const TtyInfoEntry *master; /* either may be NULL */
	const TtyInfoEntry *slave;
	const TtyInfoEntry *outside; /* handed over by the caller; then the others are NULL */
	int staging;		     /* the master, or what stands in for the terminal; -1 */
	int slave_staging;	     /* a slave that is open in R; -1: none */
	bool borrowed;		     /* it is the caller's own terminal */
};

/* A description opened through /dev/tty, by the leader of that session. */
struct rown {
	struct rfile *file;
	struct rtask *leader;
	int staging;
};

struct rttys {
	TtyInfoEntry **infos;
	size_t n_infos;
	TtyDataEntry **data;
	size_t n_data;
	struct rpty *ptys; /* ascending by index */
	size_t n_ptys;
	struct rown *owns;
	size_t n_owns;
	bool devpts;	  /* a first one was made */
	bool want_groups; /* for some terminal's sake all must be in their groups first */
};

/* Reads the images; r->ttys is not NULL then. */
int ttys_load(struct restore *r, struct error *err);

/* R's tape: a new devpts instance, staged as `dir`, gets the ptys that were in the one with that
 * device number (as mountpoints have it). The first one gets those of unknown origin. */
int ttys_tape_devpts(struct restore *r, struct tape *tape, int dir, uint32_t root_dev,
		     struct error *err);

struct tty_termios tty_termios_of(const TermiosEntry *e);
void tty_tape_termios(struct restore *r, struct tape *tape, struct tape_arg fd,
		      const struct tty_termios *t, uint32_t index);

/* tty-queue-restore.c: R's tape, when all files are open: what is left to do for each pty. */
int ttys_tape_finish(struct restore *r, struct tape *tape, struct error *err);

/* Its master, or what stands in for it, has a staging number then. */
int ttys_make(struct restore *r, struct rpty *pty, struct error *err);

/* tty-session-restore.c: a leader's tape, after its session began and before it has children. */
void ttys_tape_session(struct restore *r, struct rtask *t);
bool ttys_want_groups(const struct restore *r);
/* ... when all are in their groups. */
void ttys_tape_foreground(struct restore *r, struct rtask *t);
/* A file opened through /dev/tty. */
int tty_own_tape(struct restore *r, struct tape *tape, struct rfile *file, const TtyInfoEntry *info,
		 struct error *err);
struct rpty *ttys_of_session(const struct restore *r, uint32_t sid);
