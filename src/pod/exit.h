/*
 * exit: the end of a container's process, as conmon records it.
 *
 * conmon writes TMPDIR/exits/ID (by rename, so it is whole when it is there)
 * and ends. If conmon itself was killed there will be no such file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct container;
struct error;
struct pod;

/* 1: it has ended, 0: no record of that. */
int exit_read(const struct pod *pod, const char *id, int *ret_code, uint64_t *ret_when_ns,
	      struct error *err);

/* Removes the record, so that the next end can be told from this one. */
int exit_forget(const struct pod *pod, const char *id, struct error *err);

/*
 * Waits until the container's process has ended and conmon has written that
 * down, or both are gone. 1: so it is; 0: not within the time. timeout_ns
 * UINT64_MAX: for ever.
 */
int exit_wait(const struct pod *pod, const struct container *c, uint64_t timeout_ns,
	      struct error *err);
