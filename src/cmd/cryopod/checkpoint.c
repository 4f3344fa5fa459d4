/*
 * container checkpoint: running containers to disk.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "cmd/cryopod/statistics.h"
#include "pod/checkpoint.h"
#include "pod/export.h"
#include "pod/held.h"

struct checkpoint_command {
	struct checkpoint_options checkpoint;
	bool all;
	bool latest;
	bool tcp_established;
	bool file_locks;
	bool pre_checkpoint;
	bool with_previous;
	bool check;
	struct export_options export;
	const char *create_image;
	struct statistics statistics;
};

static const struct opt checkpoint_option_table[] = {
	OPT_FLAG('a', "all", struct checkpoint_command, all, "all running containers"),
	OPT_FLAG(0, "check", struct checkpoint_command, check,
		 "only list what stands in the way of one"),
	OPT_STRING('c', "compress", struct checkpoint_command, export.compress, "none|gzip|zstd",
		   "how the archive is compressed (zstd)"),
	OPT_STRING(0, "create-image", struct checkpoint_command, create_image, "NAME", NULL),
	OPT_STRING('e', "export", struct checkpoint_command, export.file, "FILE",
		   "write it all to an archive; -: standard output"),
	OPT_FLAG(0, "file-locks", struct checkpoint_command, file_locks, "save file locks"),
	OPT_FLAG(0, "ignore-rootfs", struct checkpoint_command, export.ignore_rootfs,
		 "leave changes of the root out of the archive"),
	OPT_FLAG(0, "ignore-volumes", struct checkpoint_command, export.ignore_volumes,
		 "leave volumes out of the archive"),
	OPT_FLAG('k', "keep", struct checkpoint_command, checkpoint.keep,
		 "keep the log and the statistics"),
	OPT_FLAG('l', "latest", struct checkpoint_command, latest, "the container created last"),
	OPT_FLAG('R', "leave-running", struct checkpoint_command, checkpoint.leave_running,
		 "let it run on"),
	OPT_FLAG('P', "pre-checkpoint", struct checkpoint_command, pre_checkpoint, NULL),
	OPT_FLAG(0, "print-stats", struct checkpoint_command, checkpoint.stats,
		 "print how long what took, as JSON"),
	OPT_FLAG(0, "tcp-established", struct checkpoint_command, tcp_established,
		 "save established TCP connections"),
	OPT_FLAG(0, "with-previous", struct checkpoint_command, with_previous, NULL),
	OPT_END,
};

/* Obstacles carry their container's name, hints follow them. */
static void print_obstacles(const char *name, char *lines)
{
	char *rest = NULL;

	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (line[0] == ' ')
			printf("%s\n", line);
		else
			printf("%s: %s\n", name, line);
}

static int act_check(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	const struct checkpoint_command *o = arg;
	cleanup_buf struct buf lines = BUF_INIT;
	int r = checkpoint_check(pod, held, &o->checkpoint.words, &lines, err);

	if (r == 0)
		printf("%s: nothing stands in the way of a checkpoint\n", held->c.name);
	else if (lines.len && buf_ok(&lines))
		print_obstacles(held->c.name, lines.data);
	return r < 0 ? r : 1;
}

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	struct checkpoint_command *o = arg;
	struct checkpoint_result result = { 0 };
	int r = checkpoint_make(pod, held, &o->checkpoint, &result, err);

	if (r == 0 && o->checkpoint.stats)
		r = statistics_add(&o->statistics, held->c.id, &result, err);
	json_decref(result.statistics);
	if (r < 0)
		return r;
	/* Standard output may be the archive's. */
	return o->checkpoint.stats || (o->export.file && strcmp(o->export.file, "-") == 0);
}

static int check(const struct checkpoint_command *o, int n_names, struct error *err)
{
	int r;

	if (o->export.compress && !o->export.file)
		return err_set(err, -EINVAL, "--compress can only be used with --export");
	r = export_check_compress(o->export.compress, err);
	if (r < 0)
		return r;
	if (geteuid() != 0)
		return err_set(err, -EPERM, "checkpointing a container requires root");
	if (o->export.ignore_rootfs && !o->export.file)
		return err_set(err, -EINVAL, "--ignore-rootfs can only be used with --export");
	if (o->export.ignore_volumes && !o->export.file)
		return err_set(err, -EINVAL, "--ignore-volumes can only be used with --export");
	if (o->with_previous && o->pre_checkpoint)
		return err_set(err, -EINVAL,
			       "--with-previous can not be used with --pre-checkpoint");
	if (o->check && (o->checkpoint.leave_running || o->checkpoint.keep || o->checkpoint.stats ||
			 o->export.file))
		return err_set(
			err, -EINVAL,
			"--check only looks: it can not be used with --leave-running, --keep, "
			"--print-stats or --export");
	if (o->create_image)
		return err_set(err, -EOPNOTSUPP, "--create-image is not supported by this version");
	if (o->export.file && (o->all || n_names > 1))
		return err_set(err, -EINVAL, "--export takes one container: one archive holds one");
	if (o->pre_checkpoint || o->with_previous)
		return err_set(err, -EOPNOTSUPP, "--%s is not supported by this version",
			       o->pre_checkpoint ? "pre-checkpoint" : "with-previous");
	return 0;
}

static int run_checkpoint(const struct command *cmd, int argc, char **argv, void *program)
{
	struct checkpoint_command o = {
		.statistics = { .whole = "podman_checkpoint_duration",
				.runtime = "runtime_checkpoint_duration" },
	};
	struct each each = { .statuses = 1u << STATUS_RUNNING, .act = act, .arg = &o };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.all = o.all;
	each.latest = o.latest;
	if (o.check)
		each.act = act_check;
	r = each_check(&each, argc, &err);
	if (r == 0)
		r = check(&o, argc, &err);
	if (r < 0)
		return program_fail(&err);
	if (o.export.file)
		o.checkpoint.export = &o.export;
	if (o.tcp_established)
		strv_add(&o.checkpoint.words, "--tcp-established");
	if (o.file_locks)
		strv_add(&o.checkpoint.words, "--file-locks");
	r = statistics_begin(&o.statistics, o.checkpoint.stats);
	r = r < 0 ? EXIT_ENGINE : each_container(program, &each, argc, argv);
	strv_done(&o.checkpoint.words);
	return statistics_end(&o.statistics, r);
}

const struct command command_checkpoint = {
	.name = "checkpoint",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Checkpoint one or more containers",
	.options = checkpoint_option_table,
	.run = run_checkpoint,
};
