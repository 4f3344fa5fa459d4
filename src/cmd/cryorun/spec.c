#include <stddef.h>

#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

struct spec_values {
	const char *bundle;
	bool rootless;
};

static const struct opt options[] = {
	OPT_STRING('b', "bundle", struct spec_values, bundle, "DIR", "folder to write it to (.)"),
	OPT_FLAG(0, "rootless", struct spec_values, rootless, "for a user namespace"),
	OPT_END,
};

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct spec_values o = { .bundle = NULL };
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, &o, argc, argv, 0, 0, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	return program_end(program, runtime_write_spec(o.bundle, o.rootless, &err), &err);
}

const struct command command_spec = {
	.name = "spec",
	.brief = "write a config.json to begin with",
	.options = options,
	.run = run,
};
