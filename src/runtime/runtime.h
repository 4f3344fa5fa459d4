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

struct exec_opts {
	const char *process_file; /* process.json; NULL: config.json's process, changed as below */
	char *const *args;	  /* NULL-terminated; NULL with a process_file */
	char *const *env;	  /* NULL-terminated or NULL, as all lists here */
	char *const *caps;
	const char *cwd;
	const char *user; /* "UID[:GID]" */
	char *const *groups;
	const char *pid_file;
	const char *console_socket;
	int preserve_fds;
	bool terminal;
	bool detach;
	bool no_new_privileges;
	bool ignore_paused;
};

/* Runs another process in a container. *ret_code is its exit code unless detached (then 0). */
int runtime_exec(const struct runtime *rt, const char *id, const struct exec_opts *opts,
		 int *ret_code, struct error *err);

int runtime_pause(const struct runtime *rt, const char *id, bool pause, struct error *err);

/* Prints the ids as JSON, or what ps(1), called with `args` (NULL: -ef), says of them. */
int runtime_ps(const struct runtime *rt, const char *id, bool json, char *const *args, FILE *out,
	       struct error *err);

/* Writes a config.json to begin with. -EEXIST: there is one. */
int runtime_write_spec(const char *bundle, bool rootless, struct error *err);

/* What this runtime can do, as the standard's features document; the caller's. */
int runtime_features(char **ret, struct error *err);

/* Changes a container's limits to those of a resources object (JSON text, as in config.json);
 * what is not named stays. */
int runtime_update(const struct runtime *rt, const char *id, const char *resources,
		   struct error *err);

/* Prints what the container uses, one JSON object a line: once, or (interval_ms > 0) again and
 * again until it ends. */
int runtime_events(const struct runtime *rt, const char *id, int interval_ms, FILE *out,
		   struct error *err);

struct checkpoint_opts {
	const char *image_path;	 /* NULL: "checkpoint" in the current folder */
	const char *work_path;	 /* NULL: the image path */
	const char *parent_path; /* NULL: a whole checkpoint */
	const char *cgroups_mode;
	char *const *empty_ns; /* NULL-terminated or NULL */
	bool leave_running;
	bool tcp_established;
	bool tcp_skip_in_flight;
	bool tcp_close; /* restore only */
	bool ext_unix_sk;
	bool shell_job;
	bool file_locks;
	bool link_remap;
	bool pre_dump;
	bool lazy_pages;
	const char *page_server;
	int status_fd; /* negative: none; gets one zero byte at the end */
	/* Negative: none. A socket or two-way pipe: gets "1" when all is saved and everything still
	 * stands still; the answer "1" lets the checkpoint end, anything else and its end undo it. */
	int hold_fd;
};

/* Saves a running container's processes. Unless left running, they, their groups and the
 * container's folder are gone afterwards. A failure leaves it as it was. */
int runtime_checkpoint(const struct runtime *rt, const char *id, const struct checkpoint_opts *opts,
		       struct error *err);

/* Each thing in the way of a checkpoint is told to `found`; the container is not stopped or touched,
 * and images are none of this. Returns how many there were. */
int runtime_checkpoint_check(const struct runtime *rt, const char *id,
			     const struct checkpoint_opts *opts,
			     void (*found)(void *arg, const struct error *obstacle), void *arg,
			     struct error *err);

struct restore_opts {
	struct checkpoint_opts images; /* leave_running, pre_dump mean nothing here */
	struct create_opts create;
	bool detach;
};

/* Makes the container again from its bundle and image files, running. Without `detach` stays
 * until it ends, as runtime_run(). A failure leaves nothing behind. */
int runtime_restore(const struct runtime *rt, const char *id, const struct restore_opts *opts,
		    int *ret_code, struct error *err);
