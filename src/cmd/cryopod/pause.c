/*
 * pause: all processes of a container stand still.
 */
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

static const struct opt pause_option_table[] = {
	OPT_FLAG('a', "all", struct each_options, all, "all running containers"),
	OPT_FLAG('l', "latest", struct each_options, latest, "the container created last"),
	OPT_END,
};

static int run_pause(const struct command *cmd, int argc, char **argv, void *program)
{
	return each_simply(program, cmd, 1u << STATUS_RUNNING, lifecycle_pause, argc, argv);
}

const struct command command_pause = {
	.name = "pause",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Pause all the processes in one or more containers",
	.options = pause_option_table,
	.run = run_pause,
};
