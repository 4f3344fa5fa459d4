#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

struct list_values {
	const char *format;
	bool quiet;
};

static const struct opt options[] = {
	OPT_STRING('f', "format", struct list_values, format, "table|json", "how it looks"),
	OPT_FLAG('q', "quiet", struct list_values, quiet, "names only"),
	OPT_END,
};

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct list_values o = { .format = "table" };
	enum list_format format = LIST_TABLE;
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, &o, argc, argv, 0, 0, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	if (o.quiet) {
		format = LIST_IDS;
	} else if (strcmp(o.format, "json") == 0) {
		format = LIST_JSON;
	} else if (strcmp(o.format, "table") != 0) {
		(void)err_set(&err, -EINVAL, "invalid format option: '%s'", o.format);
		return program_fail(program, &err);
	}
	r = runtime_list(&program->runtime, format, stdout, &err);
	return program_end(program, r, &err);
}

const struct command command_list = {
	.name = "list",
	.brief = "list the containers below --root",
	.options = options,
	.run = run,
};
