#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

struct events_values {
	const char *interval;
	bool stats;
};

static const struct opt options[] = {
	OPT_STRING(0, "interval", struct events_values, interval, "TIME",
		   "how often, like 5s or 500ms"),
	OPT_FLAG(0, "stats", struct events_values, stats, "once"),
	OPT_END,
};

static int parse_interval(const char *text, struct error *err)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	char *end = NULL;
	double n = strtod(text, &end);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (end != text && strcmp(end, units[i].unit) == 0 && n * units[i].ms >= 1 &&
		    n * units[i].ms <= INT_MAX)
			return (int)(n * units[i].ms);
	return err_set(err, -EINVAL, "--interval '%s': expected a time like 5s", text);
}

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct events_values o = { .interval = "5s" };
	struct error err = ERROR_INIT;
	int ms;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	ms = parse_interval(o.interval, &err);
	if (ms < 0)
		return program_fail(program, &err);
	r = runtime_events(&program->runtime, argv[0], o.stats ? 0 : ms, stdout, &err);
	return program_end(program, r, &err);
}

const struct command command_events = {
	.name = "events",
	.args = "CONTAINER",
	.brief = "print what a container uses, as JSON",
	.options = options,
	.run = run,
};
