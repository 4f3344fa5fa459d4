/*
 * dump-options: what `dump` and `check -t` have in common.
 */
#pragma once

#include <stdbool.h>

#include "base/opts.h"
#include "base/strv.h"
#include "cmd/cryo/old-mount-options.h"
#include "cmd/cryo/program.h"

struct cryo_dump_opts;
struct error;

struct dump_options {
	struct common_options common;
	const char *tree;
	const char *root;
	const char *ghost_limit;
	const char *manage_cgroups;
	const char *cgroup_yard; /* accepted: hierarchies are found where they are mounted */
	const char *action_script;
	const char *pidfile;	   /* a dump writes none */
	const char *pre_dump_mode; /* accepted: memory is read from outside */
	const char *network_lock;  /* accepted: there is nothing to lock yet */
	const char *freeze_cgroup;
	const char *prev_images_dir;
	struct strv externals;
	struct strv empty_ns;
	struct old_mount_options old_mounts;
	bool shell_job;
	bool leave_running;
	bool leave_stopped;
	bool file_locks;
	bool tcp_established;
	bool tcp_close;
	bool skip_in_flight;
	bool ext_unix_sk;
	bool link_remap;
	bool evasive_devices;
	bool track_mem;
	bool auto_dedup;
	bool lazy_pages;
	bool page_server;
	bool force_irmap;	 /* accepted: names are always looked for */
	bool fiemap, no_fiemap;	 /* accepted: holes are found either way */
	struct strv irmap_paths; /* accepted: all mounts are searched */
	bool stream;
	bool unprivileged;
	int status_fd;
	int timeout;
};

#define DUMP_OPTIONS(type)                                                                         \
	OPT_STRING('t', "tree", type, tree, "PID", "root of the process tree"),                    \
		OPT_FLAG('j', "shell-job", type, shell_job,                                        \
			 "the root may belong to the session of a shell"),                         \
		OPT_STRING(0, "root", type, root, "DIR", "the tree's root folder"),                \
		OPT_LIST(0, "external", type, externals, "KIND[NAME]:KEY",                         \
			 "this object stays outside of the images"),                               \
		OPT_STRING(0, "cgroup-yard", type, cgroup_yard, "DIR", NULL),                      \
		OLD_MOUNT_OPTIONS(type, old_mounts),                                               \
		OPT_LIST(0, "empty-ns", type, empty_ns, "net",                                     \
			 "do not save what is in that namespace"),                                 \
		OPT_FLAG('l', "file-locks", type, file_locks, "save file locks"),                  \
		OPT_FLAG(0, "tcp-established", type, tcp_established,                              \
			 "save established TCP connections"),                                      \
		OPT_FLAG(0, "tcp-close", type, tcp_close, "restore TCP connections as closed"),    \
		OPT_FLAG(0, "skip-in-flight", type, skip_in_flight,                                \
			 "drop TCP connections that nobody has accepted yet"),                     \
		OPT_FLAG('x', "ext-unix-sk", type, ext_unix_sk,                                    \
			 "allow unix sockets whose other end is outside"),                         \
		OPT_FLAG(0, "link-remap", type, link_remap,                                        \
			 "allow open files that lost their name but have others"),                 \
		OPT_FLAG(0, "evasive-devices", type, evasive_devices,                              \
			 "any device of the same number may stand in for a lost one"),             \
		OPT_STRING(0, "ghost-limit", type, ghost_limit, "SIZE",                            \
			   "largest deleted file that is saved (1M; suffixes K, M, G)"),           \
		OPT_OPTIONAL(0, "manage-cgroups", type, manage_cgroups, "MODE",                    \
			     "ignore, none, props, soft, full or strict (soft)")

/* Fills `ret` from the options; what it borrows lives as long as they do. */
int dump_options_use(struct dump_options *o, const struct program *p, struct cryo_dump_opts *ret,
		     struct error *err);

/* Runs the action script, if there is one. A failure of the script is one of ours. */
int dump_script_run(const struct dump_options *o, const char *action, struct error *err);

/* What the commands that dump have in common: options read, `act` called, its end told. */
int dump_command_run(struct program *p, const struct command *cmd,
		     int (*act)(struct dump_options *o, struct program *p, struct error *err),
		     const char *done, int argc, char **argv);

void dump_options_done(struct dump_options *o);
