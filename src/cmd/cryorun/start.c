#include <stddef.h>

#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, NULL, argc, argv, 1, 1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	return program_end(program, runtime_start(&program->runtime, argv[0], &err), &err);
}

const struct command command_start = {
	.name = "start",
	.args = "CONTAINER",
	.brief = "let a created container's program run",
	.run = run,
};
