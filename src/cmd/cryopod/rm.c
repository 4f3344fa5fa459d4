/*
 * rm: a container is forgotten, with its root and its files.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct rm_options {
	bool all;
	bool latest;
	bool force;
	bool ignore;
	bool volumes;
	int seconds;
};

static const struct opt rm_option_table[] = {
	OPT_FLAG('a', "all", struct rm_options, all, "all containers"),
	OPT_FLAG('l', "latest", struct rm_options, latest, "the container created last"),
	OPT_FLAG('f', "force", struct rm_options, force, "running ones are stopped first"),
	OPT_FLAG('i', "ignore", struct rm_options, ignore, "unknown containers are no error"),
	OPT_FLAG('v', "volumes", struct rm_options, volumes, "anonymous volumes too"),
	OPT_INT('t', "time", struct rm_options, seconds, "SECONDS",
		"with --force: how long to wait before SIGKILL (10)"),
	OPT_END,
};

/* Podman's: 1 for one that does not exist, 2 for one that still runs. */
static int exit_code(int code)
{
	return code == -ENOENT ? 1 : code == -EBUSY ? 2 : EXIT_ENGINE;
}

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	const struct rm_options *o = arg;
	json_int_t own = json_integer_value(json_object_get(held->c.config, "stopTimeout"));

	return lifecycle_remove(pod, held, o->force,
				o->seconds >= 0 ? (unsigned int)o->seconds : (unsigned int)own,
				err);
}

static int run_rm(const struct command *cmd, int argc, char **argv, void *program)
{
	struct rm_options o = { .seconds = -1 };
	struct each each = {
		.act = act,
		.arg = &o,
		.exit_code = exit_code,
	};
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.ignore = o.ignore || o.force;
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}

const struct command command_rm = {
	.name = "rm",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Remove one or more containers",
	.options = rm_option_table,
	.run = run_rm,
};
