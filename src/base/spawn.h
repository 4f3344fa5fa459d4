/*
 * spawn: run a helper program and wait for it.
 *
 * No shell: the words are the program's argv, found through PATH when the
 * first has no slash. The program gets exactly descriptors 0, 1 and 2; it dies
 * with us (PR_SET_PDEATHSIG) unless told otherwise, and is killed at its
 * deadline. What it writes to captured outputs is kept up to a limit, what
 * comes after is read and dropped.
 *
 *	struct spawn spawn = SPAWN_INIT;
 *	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
 *
 *	spawn.argv = strv_argv(&words);
 *	r = spawn_run(&spawn, &result, err);
 *
 * For a program that must outlive us, or is only started, see spawn_start().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct error;

#define SPAWN_CAPTURE (-2) /* into the result's buf */
#define SPAWN_NULL (-1)	   /* /dev/null */

struct spawn {
	char *const *argv; /* NULL-terminated; borrowed */
	char *const *envp; /* NULL: our own environment; borrowed */
	int in;		   /* descriptor that becomes 0, or SPAWN_NULL; borrowed */
	int out;	   /* descriptor that becomes 1, SPAWN_NULL or SPAWN_CAPTURE; borrowed */
	int err;	   /* the same for 2 */
	const int *fds;	   /* kept open as 3, 4, ... in this order (borrowed) */
	size_t n_fds;
	const char *folder;  /* working directory; NULL: ours */
	size_t max_captured; /* bytes kept of each captured output */
	uint64_t timeout_ns; /* 0: none */
	bool outlives;	     /* not killed when we die */
	bool new_session;    /* setsid(2) */
};

#define SPAWN_INIT                                                                                 \
	{                                                                                          \
		.in = SPAWN_NULL, .out = SPAWN_CAPTURE, .err = SPAWN_CAPTURE,                      \
		.max_captured = 1 << 20                                                            \
	}

struct spawn_result {
	int status; /* as waitpid(2) gives it */
	struct buf out;
	struct buf err;
};

#define SPAWN_RESULT_INIT                                                                          \
	{                                                                                          \
		.status = -1                                                                       \
	}

/*
 * Runs it to its end. 0: it ran and ended, look at the result's status
 * (spawn_check). -ENOENT: no such program. -ETIMEDOUT: killed at its deadline.
 */
int spawn_run(const struct spawn *spawn, struct spawn_result *ret_result, struct error *err);

/* Starts it and returns its pid; the caller waits for it. SPAWN_CAPTURE is not possible here. */
int spawn_start(const struct spawn *spawn, pid_t *ret_pid, struct error *err);

/*
 * Turns an unsuccessful end into an error: "skopeo: exit status 1: last line of
 * its standard error". 0 when it ended with status 0.
 */
int spawn_check(const char *program, const struct spawn_result *result, struct error *err);

/* The last line of a captured text that is not empty; borrowed from the text, its length in
 * *ret_len. */
const char *spawn_last_line(const struct buf *text, size_t *ret_len);

void spawn_result_done(struct spawn_result *result);

#define cleanup_spawn __attribute__((cleanup(spawn_result_done)))
