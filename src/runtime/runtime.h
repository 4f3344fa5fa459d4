/*
 * runtime: the room's face: what one can do with OCI containers.
 *
 * Every call finds its container by name below `root`, does one thing, and
 * leaves a state that the next call understands, however it ends. Calls that
 * make processes (create, exec, restore) need a single-threaded caller, whose
 * children they become.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct error;

#define RUNTIME_ROOT "/run/cryorun"

struct runtime {
	const char *root;
	bool systemd_cgroup; /* asked for; cgroupfs is used all the same */
};

struct create_opts {
	const char *bundle;	    /* NULL: current folder */
	const char *pid_file;	    /* NULL: none */
	const char *console_socket; /* NULL: none */
	bool no_pivot;
	bool no_new_keyring;
	int preserve_fds; /* 3 .. 3+n-1 stay open */
	int console_fd;	  /* run with a terminal: receives the pty's master here */
};

/* Makes the container and its init, which waits. *ret_pid may be NULL. */
int runtime_create(const struct runtime *rt, const char *id, const struct create_opts *opts,
		   pid_t *ret_pid, struct error *err);

int runtime_start(const struct runtime *rt, const char *id, struct error *err);

/* `all`: every process in the container's groups, else the init only. */
int runtime_kill(const struct runtime *rt, const char *id, int signal, bool all, struct error *err);

/* `force`: kill it first; nothing there is fine then. */
int runtime_delete(const struct runtime *rt, const char *id, bool force, struct error *err);

/* The state object as text; the caller's. */
int runtime_state(const struct runtime *rt, const char *id, char **ret, struct error *err);

enum list_format { LIST_TABLE, LIST_JSON, LIST_IDS };
int runtime_list(const struct runtime *rt, enum list_format format, FILE *out, struct error *err);

struct run_opts {
	struct create_opts create;
	bool detach;
	bool keep; /* don't delete it at its end */
};

/* Creates and starts; without `detach` stays until it ends, passes signals and the terminal on,
 * deletes it, and returns its exit code (128 + signal) in *ret_code. */
int runtime_run(const struct runtime *rt, const char *id, const struct run_opts *opts,
		int *ret_code, struct error *err);
