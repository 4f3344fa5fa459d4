/*
 * restore: rebuild a process tree from image files.
 *
 * All or nothing: the tree is built behind a barrier and released with one
 * store. If anything fails before that, every task, mount and namespace made
 * is gone when the call returns, and the images are untouched.
 *
 * The root task is a child of the calling process (or its sibling, with
 * `sibling`): the caller waits for it, or exits and leaves it to its subreaper.
 * Call from a single-threaded process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cryo/dump.h"
#include "cryo/external.h"

struct error;

struct cryo_join_ns {
	const char *type; /* "net", "ipc", "uts", "time", "pid", "user" */
	int fd;		  /* borrowed */
};

struct cryo_restore_opts {
	int images_dir;	  /* borrowed */
	int work_dir;	  /* where stats-restore goes; -EBADF: images_dir; borrowed */
	const char *root; /* folder that becomes the root of the tree's mount namespace;
			   * NULL: the caller's own root */
	enum cryo_cgroups_mode cgroups;
	bool shell_job;
	bool sibling; /* --restore-sibling: the root becomes a child of the caller's parent */
	bool stopped; /* --leave-stopped */
	bool file_locks;
	bool tcp_established;
	bool tcp_close;
	bool ext_unix_sk;
	bool link_remap;
	char *const *externals; /* NULL-terminated, or NULL; borrowed */
	char *const *empty_ns;
	const struct cryo_inherit_fd *inherit_fds; /* borrowed */
	size_t n_inherit_fds;
	const struct cryo_join_ns *join_ns; /* borrowed */
	size_t n_join_ns;
	/* Receives the master of the container's console: an AF_UNIX stream
	 * descriptor it is sent over (SCM_RIGHTS); -EBADF: none. */
	int console_socket;
	/* The root task exists in its new namespaces and does nothing yet: the place to put
	 * it into cgroups. NULL: nothing to do. */
	int (*created)(void *arg, pid_t host_pid, struct error *err);
	/* The tree is complete and waits at the barrier. A negative return undoes all. */
	int (*built)(void *arg, pid_t host_pid, struct error *err);
	void *arg;
	/* Text of what will be done, tape by tape, is printed here first; -EBADF: no. */
	int explain_fd;
};

#define CRYO_RESTORE_OPTS_INIT                                                                     \
	{                                                                                          \
		.images_dir = -EBADF, .work_dir = -EBADF, .cgroups = CRYO_CGROUPS_SOFT,            \
		.console_socket = -EBADF, .explain_fd = -EBADF                                     \
	}

struct cryo_restore_stats {
	uint64_t forking_us;
	uint64_t restore_us;
	uint64_t pages_compared;
	uint64_t pages_skipped_cow;
	uint64_t pages_restored;
};

/* -EBADMSG: damaged images. -EEXIST: a process id is taken. */
int cryo_restore(const struct cryo_restore_opts *opts, pid_t *ret_host_pid,
		 struct cryo_restore_stats *ret_stats, struct error *err);
