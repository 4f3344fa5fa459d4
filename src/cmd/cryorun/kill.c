#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

struct kill_values {
	bool all;
};

static const struct opt options[] = {
	OPT_FLAG('a', "all", struct kill_values, all, "every process of the container"),
	OPT_END,
};

/* "9", "KILL", "SIGKILL", "sigkill", "RTMIN+3" */
static int parse_signal(const char *word, struct error *err)
{
	const char *name = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;
	char *end = NULL;
	long n = strtol(name, &end, 10);

	if (isdigit((unsigned char)*name) && *end == '\0' && n >= 0 && n <= SIGRTMAX)
		return (int)n;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		const char *abbrev = sigabbrev_np(sig);

		if (abbrev && strcasecmp(abbrev, name) == 0)
			return sig;
	}
	if (strncasecmp(name, "RTMIN", 5) == 0 || strncasecmp(name, "RTMAX", 5) == 0) {
		const int base = strncasecmp(name, "RTMIN", 5) == 0 ? SIGRTMIN : SIGRTMAX;

		n = name[5] ? strtol(name + 5, &end, 10) : 0;
		if ((name[5] == '\0' || *end == '\0') && base + n >= SIGRTMIN &&
		    base + n <= SIGRTMAX)
			return base + (int)n;
	}
	if (strcasecmp(name, "IOT") == 0)
		return SIGIOT;
	if (strcasecmp(name, "CLD") == 0)
		return SIGCHLD;
	return err_set(err, -EINVAL, "unknown signal \"%s\"", word);
}

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct kill_values o = { .all = false };
	struct error err = ERROR_INIT;
	int signal = SIGTERM;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 2, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc == 2)
		signal = parse_signal(argv[1], &err);
	if (signal < 0)
		return program_fail(program, &err);
	r = runtime_kill(&program->runtime, argv[0], signal, o.all, &err);
	return program_end(program, r, &err);
}

const struct command command_kill = {
	.name = "kill",
	.args = "CONTAINER [SIGNAL]",
	.brief = "send a signal (SIGTERM) to a container's first process",
	.options = options,
	.run = run,
};
