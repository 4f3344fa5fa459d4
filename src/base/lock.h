/*
 * lock: one at a time, by flock(2) on a file made for it.
 *
 * The kernel drops the lock when the last descriptor of it closes, so the
 * death of a holder frees it. The file itself stays: removing it would let two
 * holders lock two different files of one name. Locks are not inherited over
 * exec (O_CLOEXEC), and a child between fork and exec shares its parent's.
 */
#pragma once

#include <errno.h>

struct error;

enum lock_mode {
	LOCK_MODE_SHARED,
	LOCK_MODE_EXCLUSIVE,
};

struct lock {
	int fd; /* negative: not held */
};

#define LOCK_INIT                                                                                  \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

/* Makes the file (0600) if absent, and waits for the lock. */
int lock_take(int dirfd, const char *name, enum lock_mode mode, struct lock *ret_lock,
	      struct error *err);

/* The same without waiting: -EBUSY when somebody else holds it. */
int lock_try(int dirfd, const char *name, enum lock_mode mode, struct lock *ret_lock,
	     struct error *err);

void lock_release(struct lock *lock);

#define cleanup_lock __attribute__((cleanup(lock_release)))
