/*
 * pause: all processes of a container stand still.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct pause_options {
	bool all;
	bool latest;
};

static const struct opt pause_option_table[] = {
	OPT_FLAG('a', "all", struct pause_options, all, "all running containers"),
	OPT_FLAG('l', "latest", struct pause_options, latest, "the container created last"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	(void)arg;
	return lifecycle_pause(pod, held, err);
}

static int run_pause(const struct command *cmd, int argc, char **argv, void *program)
{
	struct pause_options o = { 0 };
	struct each each = {
		.statuses = 1u << STATUS_RUNNING,
		.act = act,
		.arg = &o,
	};
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}

const struct command command_pause = {
	.name = "pause",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Pause all the processes in one or more containers",
	.options = pause_option_table,
	.run = run_pause,
};
