#include <stddef.h>

#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

struct delete_values {
	bool force;
};

static const struct opt options[] = {
	OPT_FLAG('f', "force", struct delete_values, force,
		 "kill it first if it runs; nothing there is fine"),
	OPT_END,
};

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct delete_values o = { .force = false };
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	return program_end(program, runtime_delete(&program->runtime, argv[0], o.force, &err),
			   &err);
}

const struct command command_delete = {
	.name = "delete",
	.args = "CONTAINER",
	.brief = "remove a stopped container and all it held",
	.options = options,
	.run = run,
};
