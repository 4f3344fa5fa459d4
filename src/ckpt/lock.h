/*
 * lock: locks and leases on files.
 *
 * Flocks, open-file-description locks and leases belong to a description,
 * POSIX locks to a process. fdinfo lists with each descriptor those that were
 * taken through its description and are the description's or this process's
 * own; so nobody else's lock is ever taken for the tree's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cryo_dump_opts;
struct dump;
struct dump_fd;
struct error;

/* file_lock_entry.flag, numbered as in the images. */
enum lock_kind {
	LOCK_KIND_POSIX = 1,
	LOCK_KIND_FLOCK = 2,
	LOCK_KIND_OFD = 4,
	LOCK_KIND_LEASE = 8,
};

/* Added to file_lock_entry.type, which then is what the lease shall become. */
#define LOCK_LEASE_BREAKING 4u

struct lock {
	enum lock_kind kind;
	const char *name; /* for messages */
	uint32_t type;	  /* F_RDLCK, F_WRLCK, F_UNLCK */
	bool breaking;	  /* a lease: its holder was asked to give it up */
	int64_t start;
	int64_t len; /* 0: to the end of the file, wherever it will be */
};

/*
 * One line of fdinfo, from behind its "lock:". -EOPNOTSUPP: a kind that no
 * process can ask for.
 */
int lock_parse(const char *line, struct lock *ret, struct error *err);

/* Refuses locks if they are not to be saved. `fdinfo`: the text of /proc/PID/fdinfo/N. */
int lock_check(const struct cryo_dump_opts *opts, const char *where, const char *link,
	       const char *fdinfo, struct error *err);

/* `first`: the description was not seen before, its own locks are still to be saved. */
int lock_dump(struct dump *dump, const struct dump_fd *fd, bool first, struct error *err);
void locks_dump_done(struct dump *dump);
