#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

struct ps_values {
	const char *format;
};

static const struct opt options[] = {
	OPT_STRING('f', "format", struct ps_values, format, "table|json", "how it looks"),
	OPT_END,
};

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct ps_values o = { .format = "table" };
	struct error err = ERROR_INIT;
	bool json;
	int r = program_parse(program, cmd, &o, argc, argv, 1, -1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	json = strcmp(o.format, "json") == 0;
	if (!json && strcmp(o.format, "table") != 0) {
		(void)err_set(&err, -EINVAL, "invalid format option: '%s'", o.format);
		return program_fail(program, &err);
	}
	argv[argc] = NULL; /* options stood there */
	r = runtime_ps(&program->runtime, argv[0], json, argv + 1, stdout, &err);
	return program_end(program, r, &err);
}

const struct command command_ps = {
	.name = "ps",
	.args = "CONTAINER [PS-OPTION...]",
	.brief = "list the processes of a container",
	.options = options,
	.stop_at_argument = true,
	.run = run,
};
