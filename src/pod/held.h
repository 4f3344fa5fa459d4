/*
 * held: a container that this command has for itself.
 *
 * Taking one locks it, loads it, and repairs what an earlier command or the
 * end of the container left: a process that ended is written down with its
 * exit code, and what only a living one needs (mounts, runtime state, sockets)
 * is removed. So every command begins on firm ground, whatever was killed before.
 */
#pragma once

#include "base/lock.h"
#include "pod/container.h"

struct error;
struct pod;

struct held {
	struct container c;
	struct lock lock;
	bool restored; /* taking it found an interrupted restore that had succeeded */
};

#define HELD_INIT                                                                                  \
	{                                                                                          \
		.c = CONTAINER_INIT, .lock = LOCK_INIT                                             \
	}

/* -ENOENT: there is no such id (any more). */
int held_take(struct pod *pod, const char *id, struct held *ret, struct error *err);

/* Loads it again after a time without the lock; that is taken anew. */
int held_retake(struct pod *pod, struct held *held, struct error *err);

void held_release(struct held *held); /* the lock only; the record can still be read */
void held_done(struct held *held);
#define cleanup_held __attribute__((cleanup(held_done)))

/* Writes the state down. */
int held_save(struct pod *pod, struct held *held, struct error *err);

/*
 * Brings a record up to date in memory: 1 when it had not known that its
 * process ended. For those who only look, without the lock.
 */
int container_refresh(const struct pod *pod, struct container *c, struct error *err);
