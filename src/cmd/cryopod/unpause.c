/*
 * unpause: the processes of a paused container go on.
 */
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

static const struct opt unpause_option_table[] = {
	OPT_FLAG('a', "all", struct each_options, all, "all paused containers"),
	OPT_FLAG('l', "latest", struct each_options, latest, "the container created last"),
	OPT_END,
};

static int run_unpause(const struct command *cmd, int argc, char **argv, void *program)
{
	return each_simply(program, cmd, 1u << STATUS_PAUSED, lifecycle_unpause, argc, argv);
}

const struct command command_unpause = {
	.name = "unpause",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Unpause the processes in one or more containers",
	.options = unpause_option_table,
	.run = run_unpause,
};
