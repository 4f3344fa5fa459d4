/*
 * pre-dump: save the memory of a process tree that runs on. Options are CRIU's.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/dump-options.h"
#include "cmd/cryo/program.h"
#include "cryo/dump.h"
#include "cryo/error.h"

static const struct opt pre_dump_option_table[] = {
	COMMON_OPTIONS(struct dump_options, common),
	DUMP_OPTIONS(struct dump_options),
	OPT_STRING(0, "prev-images-dir", struct dump_options, prev_images_dir, "DIR",
		   "older images, relative to those of -D: only what was written since is saved"),
	OPT_FLAG(0, "track-mem", struct dump_options, track_mem, NULL),
	OPT_STRING(0, "pre-dump-mode", struct dump_options, pre_dump_mode, "MODE", NULL),
	OPT_STRING(0, "pidfile", struct dump_options, pidfile, "FILE", NULL),
	OPT_INT(0, "timeout", struct dump_options, timeout, "SECONDS",
		"how long freezing may take (10)"),
	OPT_END,
};

static int pre_dump(struct dump_options *o, struct program *p, struct error *err)
{
	struct cryo_dump_opts opts = CRYO_DUMP_OPTS_INIT;
	struct cryo_dump_stats stats;
	int r = dump_options_use(o, p, &opts, err);

	if (r < 0)
		return r;
	opts.after = CRYO_AFTER_RUN;
	opts.parent = o->prev_images_dir;
	opts.timeout_s = o->timeout > 0 ? (unsigned int)o->timeout : 0;
	r = cryo_pre_dump(&opts, &stats, err);
	if (r == 0 && o->common.display_stats)
		printf("Frozen: %llu us\nPages written: %llu, left to older images: %llu\n",
		       (unsigned long long)stats.frozen_us, (unsigned long long)stats.pages_written,
		       (unsigned long long)stats.pages_skipped_parent);
	return r;
}

static int run_pre_dump(const struct command *cmd, int argc, char **argv, void *program)
{
	return dump_command_run(program, cmd, pre_dump, "memory dumped", argc, argv);
}

const struct command command_pre_dump = {
	.name = "pre-dump",
	.args = "",
	.brief = "Save the memory of a process tree that runs on",
	.options = pre_dump_option_table,
	.run = run_pre_dump,
};
