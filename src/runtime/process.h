/*
 * process: turning the calling process into the one config.json describes.
 *
 * Used by a container's init and by `exec`, inside the container's namespaces
 * and root, in this order:
 *	process_prepare    limits, priorities, umask: with all rights
 *	process_become     user, groups; the executable is looked for
 *	process_exec       filter, capabilities, execve(2)
 * Between the last two it may wait for `start`; it still has the rights the
 * filter needs then, and nobody may trace it (PR_SET_DUMPABLE).
 */
#pragma once

#include <stdbool.h>

#include "base/strv.h"

struct error;
struct seccomp_program;
struct spec_process;

struct process {
	const struct spec_process *spec; /* borrowed */
	struct strv env;
	char *executable; /* found path */
};

#define PROCESS_INIT                                                                               \
	{                                                                                          \
		.env = STRV_INIT                                                                   \
	}

/* A session keyring of the container's own, so that the caller's keys stay the caller's. */
int process_join_keyring(const char *id, struct error *err);

/* The caller must be in the host's /proc still: oom_score_adj is written through it. */
int process_set_oom_score(const struct spec_process *spec, struct error *err);

int process_prepare(struct process *process, const struct spec_process *spec, struct error *err);
int process_become(struct process *process, struct error *err);

/* Returns on failure only. */
int process_exec(struct process *process, const struct seccomp_program *filter, struct error *err);

/* Closes all descriptors but 0 .. 2+preserve and the `n` given. */
int process_close_fds(int preserve, const int *keep, int n, struct error *err);

/* Signals as a fresh program expects them. */
void process_reset_signals(void);

void process_done(struct process *process);

#define cleanup_process __attribute__((cleanup(process_done)))
