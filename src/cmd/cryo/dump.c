/*
 * dump: save a process tree. Options are CRIU's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/dump-options.h"
#include "cmd/cryo/program.h"
#include "cryo/dump.h"
#include "cryo/error.h"

static const struct opt dump_option_table[] = {
	COMMON_OPTIONS(struct dump_options, common),
	DUMP_OPTIONS(struct dump_options),
	OPT_FLAG('R', "leave-running", struct dump_options, leave_running,
		 "let the tree run on afterwards"),
	OPT_FLAG('s', "leave-stopped", struct dump_options, leave_stopped,
		 "leave the tree stopped (SIGSTOP) afterwards"),
	OPT_STRING(0, "action-script", struct dump_options, action_script, "FILE",
		   "run it with CRTOOLS_SCRIPT_ACTION set at each stage"),
	OPT_INT(0, "status-fd", struct dump_options, status_fd, "FD",
		"write a zero byte here when the dump begins"),
	OPT_INT(0, "timeout", struct dump_options, timeout, "SECONDS",
		"how long freezing may take (10)"),
	OPT_STRING(0, "pidfile", struct dump_options, pidfile, "FILE", NULL),
	OPT_FLAG(0, "force-irmap", struct dump_options, force_irmap, NULL),
	OPT_LIST(0, "irmap-scan-path", struct dump_options, irmap_paths, "DIR", NULL),
	OPT_FLAG(0, "ghost-fiemap", struct dump_options, fiemap, NULL),
	OPT_FLAG(0, "no-ghost-fiemap", struct dump_options, no_fiemap, NULL),
	OPT_STRING(0, "pre-dump-mode", struct dump_options, pre_dump_mode, "MODE", NULL),
	OPT_STRING(0, "network-lock", struct dump_options, network_lock, "METHOD", NULL),
	OPT_STRING(0, "freeze-cgroup", struct dump_options, freeze_cgroup, "DIR",
		   "accepted and not used: tasks are stopped by ptrace, whose stops end with us"),
	OPT_STRING(0, "prev-images-dir", struct dump_options, prev_images_dir, "DIR",
		   "older images, relative to those of -D: only what was written since is saved"),
	OPT_FLAG(0, "track-mem", struct dump_options, track_mem,
		 "these images will be older images of the next dump"),
	OPT_FLAG(0, "auto-dedup", struct dump_options, auto_dedup, NULL),
	OPT_FLAG(0, "lazy-pages", struct dump_options, lazy_pages, NULL),
	OPT_FLAG(0, "page-server", struct dump_options, page_server, NULL),
	OPT_FLAG(0, "stream", struct dump_options, stream, NULL),
	OPT_FLAG(0, "unprivileged", struct dump_options, unprivileged, NULL),
	OPT_END,
};

static int refuse_unsupported(const struct dump_options *o, struct error *err)
{
	const struct {
		bool given;
		const char *name;
		const char *why;
	} options[] = {
		{ o->auto_dedup, "auto-dedup",
		  "incremental dumps are not supported by this version" },
		{ o->lazy_pages, "lazy-pages", "lazy dumps are not supported by this version" },
		{ o->page_server, "page-server", "page servers are not supported by this version" },
		{ o->stream, "stream", "image streams are not supported by this version" },
		{ o->unprivileged, "unprivileged", "not supported: dumping needs root" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].given)
			return err_set(err, -EOPNOTSUPP, "--%s: %s", options[i].name,
				       options[i].why);
	}
	if (o->leave_running && o->leave_stopped)
		return err_set(err, -EINVAL,
			       "--leave-running and --leave-stopped exclude each "
			       "other");
	return 0;
}

static int run_script(void *arg, struct error *err)
{
	const struct dump_options *o = arg;

	return dump_script_run(o, "post-dump", err);
}

static int announce(int fd, struct error *err)
{
	char zero = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = write(fd, &zero, 1);
	return n == 1 ? 0 : err_sys(err, "write to status fd %d", fd);
}

static void print_stats(const struct cryo_dump_stats *stats)
{
	printf("Freezing: %llu us\nFrozen: %llu us\nMemory: %llu us, of that writing %llu us\n"
	       "Pages scanned: %llu, written: %llu, left to older images: %llu\n",
	       (unsigned long long)stats->freezing_us, (unsigned long long)stats->frozen_us,
	       (unsigned long long)stats->memdump_us, (unsigned long long)stats->memwrite_us,
	       (unsigned long long)stats->pages_scanned, (unsigned long long)stats->pages_written,
	       (unsigned long long)stats->pages_skipped_parent);
}

static int dump(struct dump_options *o, struct program *p, struct error *err)
{
	struct cryo_dump_opts opts = CRYO_DUMP_OPTS_INIT;
	struct cryo_dump_stats stats;
	int r;

	r = refuse_unsupported(o, err);
	if (r == 0)
		r = dump_options_use(o, p, &opts, err);
	if (r < 0)
		return r;
	opts.after = o->leave_running	? CRYO_AFTER_RUN
		     : o->leave_stopped ? CRYO_AFTER_STOP
					: CRYO_AFTER_KILL;
	opts.parent = o->prev_images_dir;
	opts.track_mem = o->track_mem && o->leave_running;
	opts.timeout_s = o->timeout > 0 ? (unsigned int)o->timeout : 0;
	if (o->action_script) {
		opts.complete = run_script;
		opts.arg = (void *)o;
		r = dump_script_run(o, "pre-dump", err);
		if (r < 0)
			return r;
	}
	r = announce(o->status_fd, err);
	if (r == 0)
		r = cryo_dump(&opts, &stats, err);
	if (r == 0 && o->common.display_stats)
		print_stats(&stats);
	return r;
}

static int run_dump(const struct command *cmd, int argc, char **argv, void *program)
{
	return dump_command_run(program, cmd, dump, "dumped", argc, argv);
}

const struct command command_dump = {
	.name = "dump",
	.args = "",
	.brief = "Save a process tree into images",
	.options = dump_option_table,
	.run = run_dump,
};
