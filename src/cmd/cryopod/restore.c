/*
 * container restore: containers go on where their checkpoint stopped them.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "cmd/cryopod/statistics.h"
#include "pod/checkpoint.h"
#include "pod/held.h"
#include "pod/import.h"

struct restore_command {
	struct restore_options restore;
	bool all;
	bool latest;
	bool tcp_established;
	bool tcp_close;
	bool file_locks;
	bool ignore_static_ip;
	bool ignore_static_mac;
	struct import_options import;
	const char *import_previous;
	const char *pod;
	struct strv publish;
	struct statistics statistics;
};

static const struct opt restore_option_table[] = {
	OPT_FLAG('a', "all", struct restore_command, all, "all containers that ended"),
	OPT_FLAG(0, "file-locks", struct restore_command, file_locks, "restore file locks"),
	OPT_FLAG(0, "ignore-rootfs", struct restore_command, import.ignore_rootfs,
		 "do not apply changes of the root"),
	OPT_FLAG(0, "ignore-static-ip", struct restore_command, ignore_static_ip, NULL),
	OPT_FLAG(0, "ignore-static-mac", struct restore_command, ignore_static_mac, NULL),
	OPT_FLAG(0, "ignore-volumes", struct restore_command, import.ignore_volumes,
		 "do not fill volumes"),
	OPT_STRING('i', "import", struct restore_command, import.file, "FILE",
		   "make the container again from an archive; -: standard input"),
	OPT_STRING(0, "import-previous", struct restore_command, import_previous, "FILE", NULL),
	OPT_FLAG('k', "keep", struct restore_command, restore.keep,
		 "keep the checkpoint, logs and statistics"),
	OPT_FLAG('l', "latest", struct restore_command, latest, "the container created last"),
	OPT_STRING('n', "name", struct restore_command, import.name, "NAME",
		   "a new name, and a new id, for what is imported"),
	OPT_STRING(0, "pod", struct restore_command, pod, "POD", NULL),
	OPT_FLAG(0, "print-stats", struct restore_command, restore.stats,
		 "print how long what took, as JSON"),
	OPT_LIST('p', "publish", struct restore_command, publish, "PORTS", NULL),
	OPT_FLAG(0, "tcp-close", struct restore_command, tcp_close,
		 "close TCP connections instead of restoring them"),
	OPT_FLAG(0, "tcp-established", struct restore_command, tcp_established,
		 "restore established TCP connections"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	struct restore_command *o = arg;
	struct checkpoint_result result = { 0 };
	int r = checkpoint_restore(pod, held, &o->restore, &result, err);

	if (r == 0 && o->restore.stats)
		r = statistics_add(&o->statistics, held->c.id, &result, err);
	json_decref(result.statistics);
	return r < 0 ? r : o->restore.stats;
}

static int check_import(const struct restore_command *o, int n_names, struct error *err)
{
	const char *missing = o->import_previous     ? "import-previous"
			      : o->pod		     ? "pod"
			      : o->publish.n > 0     ? "publish"
			      : o->ignore_static_ip  ? "ignore-static-ip"
			      : o->ignore_static_mac ? "ignore-static-mac"
						     : NULL;

	if (o->tcp_established && o->import.name)
		return err_set(err, -EINVAL, "--tcp-established cannot be used with --name");
	if (o->all || o->latest)
		return err_set(err, -EINVAL, "cannot use --import with --all or --latest");
	if (n_names > 0)
		return err_set(err, -EINVAL, "cannot use --import with positional arguments");
	if (missing)
		return err_set(err, -EOPNOTSUPP, "--%s is not supported by this version", missing);
	return 0;
}

static int check(const struct restore_command *o, int n_names, struct error *err)
{
	if (geteuid() != 0)
		return err_set(err, -EPERM, "restoring a container requires root");
	if (o->import.file)
		return check_import(o, n_names, err);
	if (o->import_previous || o->import.ignore_rootfs || o->import.ignore_volumes ||
	    o->import.name || o->pod)
		return err_set(err, -EINVAL, "--%s can only be used with image or --import",
			       o->import_previous	  ? "import-previous"
			       : o->import.ignore_rootfs  ? "ignore-rootfs"
			       : o->import.ignore_volumes ? "ignore-volumes"
			       : o->import.name		  ? "name"
							  : "pod");
	if (o->publish.n > 0)
		return err_set(err, -EINVAL, "--publish can only be used with image or --import");
	return 0;
}

static int restore_imported(struct pod *pod, const char *id, struct restore_command *o,
			    struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	int r = held_take(pod, id, &held, err);

	return r < 0 ? r : act(pod, &held, o, err);
}

/* The archive's container, or none. */
static int import(const struct program *program, struct restore_command *o)
{
	cleanup_pod struct pod pod = POD_INIT;
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];
	int r = program_open(program, &pod, &err);

	if (r == 0)
		r = checkpoint_import(&pod, &o->import, id, &err);
	if (r < 0)
		return program_fail(&err);
	r = restore_imported(&pod, id, o, &err);
	if (r < 0) {
		checkpoint_import_undo(&pod, id, &o->import);
		return program_fail(&err);
	}
	if (r == 0)
		printf("%s\n", id);
	return 0;
}

static int restore(struct program *program, struct restore_command *o, int argc, char **argv)
{
	struct each each = {
		.all = o->all,
		.latest = o->latest,
		.statuses = 1u << STATUS_EXITED,
		.both_given = "--all or --latest and containers cannot be used together",
		.not_found = "no such container or image",
		.act = act,
		.arg = o,
	};
	struct error err = ERROR_INIT;
	int r;

	if (o->all && o->latest)
		r = err_set(&err, -EINVAL, "--all and --latest cannot be used together");
	else
		r = check(o, argc, &err);
	if (r < 0)
		return program_fail(&err);
	if (o->tcp_established)
		strv_add(&o->restore.words, "--tcp-established");
	if (o->tcp_close)
		strv_add(&o->restore.words, "--tcp-close");
	if (o->file_locks)
		strv_add(&o->restore.words, "--file-locks");
	r = statistics_begin(&o->statistics, o->restore.stats);
	if (r < 0)
		r = EXIT_ENGINE;
	else if (o->import.file)
		r = import(program, o);
	else
		r = each_container(program, &each, argc, argv);
	return statistics_end(&o->statistics, r);
}

static int run_restore(const struct command *cmd, int argc, char **argv, void *program)
{
	struct restore_command o = {
		.statistics = { .whole = "podman_restore_duration",
				.runtime = "runtime_restore_duration" },
	};
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r == PROGRAM_GO_ON)
		r = restore(program, &o, argc, argv);
	strv_done(&o.restore.words);
	strv_done(&o.publish);
	return r;
}

const struct command command_restore = {
	.name = "restore",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Restore one or more containers from a checkpoint",
	.options = restore_option_table,
	.run = run_restore,
};
