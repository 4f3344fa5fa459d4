/*
 * init: a container's first process, from its birth to the program's start.
 *
 * An ordinary copy of the single-threaded maker, so it may allocate and
 * write errors; it never returns to the maker's code, and ends when the maker
 * does, unless it was told that it is written down (SYNC_GO after SYNC_READY).
 */
#pragma once

#include <stdbool.h>

struct cgroup;
struct container;
struct spec;

struct init {
	const struct spec *spec;	   /* borrowed, as all below */
	const struct container *container; /* its `dir` holds the fifo */
	const char *bundle;
	const char *rootfs;
	int sync;
	int console; /* socket that receives the pty; negative: no terminal */
	int preserve_fds;
	bool no_pivot;
	bool no_new_keyring;
};

/* Runs in the new process. */
_Noreturn void init_run_child(struct init *init);
