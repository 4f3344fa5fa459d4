/*
 * init: an OCI container is made of a remembered one, and waits for start.
 */
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

static const struct opt init_option_table[] = {
	OPT_FLAG('a', "all", struct each_options, all, "all containers that were only created"),
	OPT_FLAG('l', "latest", struct each_options, latest, "the container created last"),
	OPT_END,
};

static int run_init(const struct command *cmd, int argc, char **argv, void *program)
{
	return each_simply(program, cmd, 1u << STATUS_CREATED, lifecycle_init, argc, argv);
}

const struct command command_init = {
	.name = "init",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Initialize one or more containers",
	.options = init_option_table,
	.run = run_init,
};
