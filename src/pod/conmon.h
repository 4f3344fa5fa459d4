/*
 * conmon: the process that stays with a container.
 *
 * It runs the OCI runtime's create (or restore, or exec), owns the ends of the
 * container's stdio, writes the log, serves attach clients, is the
 * container's subreaper and leaves its exit code in a file. We hear from it
 * over the sync pipe: one line of JSON with the pid, or with what went wrong.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/strv.h"

struct container;
struct error;
struct pod;

/*
 * The container's command does not exist, or can't be executed: codes of their
 * own, because -ENOENT is what an unknown container gives.
 */
#define COMMAND_NOT_FOUND (-ENOPKG)
#define COMMAND_NOT_EXECUTABLE (-ENOEXEC)

struct conmon_start {
	const char *bundle;   /* userdata, or an exec session's folder */
	const char *uuid;     /* container's id, or the session's */
	const char *exit_dir; /* where the file `uuid` with the exit code will appear */
	const char *log_path; /* NULL: no log */
	bool terminal;
	bool stdin_open;
	bool stdin_stays;		  /* a client that leaves does not close it */
	const char *restore_from;	  /* NULL: create */
	const struct strv *restore_words; /* options of the runtime's restore; may be NULL */
	const char *exec_spec;		  /* NULL, or the process.json of an exec */
	bool exec_attach; /* the process is started when a client says so: conmon_go() */
	const struct strv *exit_command; /* run when it has ended; may be NULL */
};

struct conmon {
	pid_t host_pid;	     /* conmon's */
	pid_t container_pid; /* the container's (or exec's) first process */
	int sync_fd;	     /* owned; only kept with exec_attach */
	int start_fd;
	int attach_fd;
};

#define CONMON_INIT                                                                                \
	{                                                                                          \
		.sync_fd = -EBADF, .start_fd = -EBADF, .attach_fd = -EBADF                         \
	}

/*
 * Starts it and waits until the container exists. With exec_attach: until its
 * attach socket is there. A failure carries the runtime's words; its code is one of
 * the two above, or -EIO.
 */
int conmon_run(const struct pod *pod, const struct container *c, const struct conmon_start *start,
	       struct conmon *ret, struct error *err);

/*
 * exec_attach only, in this order: a client is attached, so the process may
 * start (waits for its pid); later, its exit code.
 */
int conmon_go(struct conmon *conmon, const struct container *c, struct error *err);
int conmon_hear_exit(struct conmon *conmon, int *ret_code, struct error *err);

/*
 * Ends what a start of ours that was killed left at work: conmon and runtime
 * processes that have the container's id among their words. Only for a
 * container that is not recorded as living. Waits until they are gone.
 */
int conmon_end_orphans(const struct pod *pod, const struct container *c, struct error *err);

/*
 * The same processes, but they are let finish: until the runtime has ended and
 * conmon has its pid file, or conmon is gone as well.
 */
int conmon_await_orphans(const struct pod *pod, const struct container *c, struct error *err);

void conmon_done(struct conmon *conmon);
#define cleanup_conmon __attribute__((cleanup(conmon_done)))
