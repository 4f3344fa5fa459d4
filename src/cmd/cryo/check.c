/*
 * check: what stands in the way of a dump, here or in a tree.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/dump-options.h"
#include "cmd/cryo/program.h"
#include "cryo/check.h"
#include "cryo/dump.h"

struct check_options {
	struct dump_options dump;
	const char *feature;
	bool unprivileged;
	bool all;
	bool extra;
	bool experimental;
};

static const struct opt check_option_table[] = {
	COMMON_OPTIONS(struct check_options, dump.common),
	OPT_STRING('t', "tree", struct check_options, dump.tree, "PID",
		   "list what can't be saved of this process tree"),
	OPT_FLAG('j', "shell-job", struct check_options, dump.shell_job,
		 "the root may belong to the session of a shell"),
	OPT_FLAG('l', "file-locks", struct check_options, dump.file_locks, "save file locks"),
	OPT_LIST(0, "external", struct check_options, dump.externals, "KIND[NAME]:KEY",
		 "this object stays outside of the images"),
	OPT_STRING(0, "ghost-limit", struct check_options, dump.ghost_limit, "SIZE",
		   "largest deleted file that is saved (1M)"),
	OPT_STRING(0, "feature", struct check_options, feature, "NAME",
		   "is this one feature there? Exit code 0: yes"),
	OPT_FLAG(0, "unprivileged", struct check_options, unprivileged, NULL),
	OPT_FLAG(0, "all", struct check_options, all, NULL),
	OPT_FLAG(0, "extra", struct check_options, extra, NULL),
	OPT_FLAG(0, "experimental", struct check_options, experimental, NULL),
	OPT_END,
};

static void print_obstacle(void *arg, const struct error *obstacle)
{
	(void)arg;
	printf("%s\n", obstacle->text);
	if (obstacle->hint[0])
		printf("  hint: %s\n", obstacle->hint);
}

static int check_tree(struct check_options *o, struct program *p, struct error *err)
{
	struct cryo_dump_opts opts = CRYO_DUMP_OPTS_INIT;
	int r;

	r = dump_options_use(&o->dump, p, &opts, err);
	if (r < 0)
		return r;
	r = cryo_check_tree(&opts, print_obstacle, NULL, err);
	if (r > 0)
		return err_set(err, -EOPNOTSUPP, "%d obstacle%s to a dump of %d", r,
			       r == 1 ? "" : "s", opts.pid);
	if (r == 0)
		printf("Nothing stands in the way of a dump of %d.\n", opts.pid);
	return r;
}

static int check_feature(const char *name, struct error *err)
{
	int r = cryo_check_feature(name, err);

	if (r == 0)
		return err_set(err, -EOPNOTSUPP, "feature '%s' is not there", name);
	return r < 0 ? r : 0;
}

static int check_system(struct error *err)
{
	int r = cryo_check_system(err);

	if (r == 0)
		printf("Looks good.\n");
	return r;
}

static int run_check(const struct command *cmd, int argc, char **argv, void *program)
{
	struct check_options o = { .dump.common = COMMON_OPTIONS_INIT };
	struct program *p = program;
	struct error err = ERROR_INIT;
	int r;

	r = program_begin(p, cmd, &o, &o.dump.common, &argc, argv);
	if (r != PROGRAM_GO_ON)
		return r;
	if (o.feature)
		r = check_feature(o.feature, &err);
	else if (o.dump.tree)
		r = check_tree(&o, p, &err);
	else
		r = check_system(&err);
	r = r < 0 ? program_fail(p, &err) : program_finish(p);
	dump_options_done(&o.dump);
	return r;
}

const struct command command_check = {
	.name = "check",
	.args = "",
	.brief = "Tell what stands in the way of a dump",
	.options = check_option_table,
	.run = run_check,
};
