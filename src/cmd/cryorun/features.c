#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	cleanup_free char *text = NULL;
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, NULL, argc, argv, 0, 0, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	r = runtime_features(&text, &err);
	if (r >= 0)
		fputs(text, stdout);
	return program_end(program, r, &err);
}

const struct command command_features = {
	.name = "features",
	.brief = "print what this runtime can do as JSON",
	.run = run,
};
