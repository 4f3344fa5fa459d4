/*
 * dump: save a process tree into CRIU's image files.
 *
 * Until the call has succeeded the tree is as it was: a failure, or the death
 * of the caller at any moment (SIGKILL included), leaves it running as if the
 * call had never been made. Tasks are stopped by ptrace only, whose stops end
 * with the tracer; no cgroup is ever frozen.
 *
 * Root (CAP_SYS_PTRACE, CAP_SYS_ADMIN) is needed; CAP_SYS_RESOURCE is not.
 * Call from a single-threaded process: waitpid(2) is used on the target's tasks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

enum cryo_after_dump {
	CRYO_AFTER_KILL, /* the tree is killed when the images are complete */
	CRYO_AFTER_RUN,	 /* it runs on (--leave-running) */
	CRYO_AFTER_STOP, /* each task is left in SIGSTOP (--leave-stopped) */
};

/* How cgroups are recorded and rebuilt: CRIU's --manage-cgroups. */
enum cryo_cgroups_mode {
	CRYO_CGROUPS_IGNORE,
	CRYO_CGROUPS_NONE, /* recorded, and joined where they exist */
	CRYO_CGROUPS_PROPS,
	CRYO_CGROUPS_SOFT,
	CRYO_CGROUPS_FULL,
	CRYO_CGROUPS_STRICT,
};

struct cryo_dump_opts {
	pid_t pid;	  /* root task of the tree, as the caller sees it */
	int images_dir;	  /* descriptor of an existing folder; borrowed */
	int work_dir;	  /* where stats-dump goes; -EBADF: images_dir; borrowed */
	const char *root; /* the tree's root folder as the caller sees it; NULL: unknown */
	enum cryo_after_dump after;
	enum cryo_cgroups_mode cgroups;
	bool shell_job;		/* the root may belong to a session that is not dumped */
	bool orphan_pts_master; /* a console: the other end of one terminal is outside */
	bool file_locks;
	bool tcp_established;
	bool tcp_close;
	bool tcp_skip_in_flight; /* connections nobody has accepted yet are dropped */
	bool ext_unix_sk;
	bool link_remap;
	bool evasive_devices;
	uint64_t ghost_limit;	/* bytes of a deleted file that are carried; 0: 1 MiB */
	char *const *externals; /* NULL-terminated, or NULL; borrowed (cryo/external.h) */
	char *const *empty_ns;	/* NULL-terminated namespace names not to be saved ("net") */
	unsigned int timeout_s; /* for freezing; 0: 10 s */
	/* Called once with all tasks stopped and the images complete, before they go on or die.
	 * A negative return fails the dump and the tree lives on. May be NULL. */
	int (*complete)(void *arg, struct error *err);
	void *arg;
	/* Older images of the tree, by a path relative to images_dir: what they have and was not
	 * written since is left to them. NULL: none. */
	const char *parent;
	bool track_mem;	  /* with CRYO_AFTER_RUN: these images can be the parent of the next ones */
	bool early_stats; /* stats-dump is there before complete() is called, with the times so far
			   */
};

#define CRYO_DUMP_OPTS_INIT                                                                        \
	{                                                                                          \
		.images_dir = -EBADF, .work_dir = -EBADF, .cgroups = CRYO_CGROUPS_SOFT             \
	}

struct cryo_dump_stats {
	uint64_t freezing_us; /* until all tasks were stopped */
	uint64_t frozen_us;   /* from then until they ran again or were killed */
	uint64_t memdump_us;
	uint64_t memwrite_us;
	uint64_t pages_scanned;
	uint64_t pages_skipped_parent;
	uint64_t pages_written;
};

/*
 * Memory only, copied while the tree runs; it stands still for a moment at the
 * beginning. The images are no checkpoint: they are the parent of the next ones.
 * -EOPNOTSUPP: this kernel can't track memory.
 */
int cryo_pre_dump(const struct cryo_dump_opts *opts, struct cryo_dump_stats *ret_stats,
		  struct error *err);

/*
 * -ESRCH: no such process. -EOPNOTSUPP: something in the tree can't be saved;
 * the text names process, descriptor and object. -EBUSY: another tracer has a
 * task. `ret_stats` may be NULL.
 */
int cryo_dump(const struct cryo_dump_opts *opts, struct cryo_dump_stats *ret_stats,
	      struct error *err);
