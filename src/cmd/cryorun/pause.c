#include <stddef.h>

#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

static int pause_or_resume(const struct command *cmd, int argc, char **argv, void *arg, bool pause)
{
	const struct program *program = arg;
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, NULL, argc, argv, 1, 1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	return program_end(program, runtime_pause(&program->runtime, argv[0], pause, &err), &err);
}

static int run_pause(const struct command *cmd, int argc, char **argv, void *arg)
{
	return pause_or_resume(cmd, argc, argv, arg, true);
}

static int run_resume(const struct command *cmd, int argc, char **argv, void *arg)
{
	return pause_or_resume(cmd, argc, argv, arg, false);
}

const struct command command_pause = {
	.name = "pause",
	.args = "CONTAINER",
	.brief = "stop all processes of a container where they are",
	.run = run_pause,
};

const struct command command_resume = {
	.name = "resume",
	.args = "CONTAINER",
	.brief = "let a paused container go on",
	.run = run_resume,
};
