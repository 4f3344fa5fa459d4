/*
 * restart: stop, then start.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct restart_options {
	bool all;
	bool latest;
	bool running;
	int seconds;
};

static const struct opt restart_option_table[] = {
	OPT_FLAG('a', "all", struct restart_options, all, "all containers"),
	OPT_FLAG('l', "latest", struct restart_options, latest, "the container created last"),
	OPT_FLAG(0, "running", struct restart_options, running, "only running containers"),
	OPT_INT('t', "time", struct restart_options, seconds, "SECONDS",
		"how long to wait before SIGKILL (10)"),
	OPT_END,
};

/* The seconds given, or the container's own. */
static unsigned int timeout_of(const struct container *c, int seconds)
{
	json_int_t own = json_integer_value(json_object_get(c->config, "stopTimeout"));

	return seconds >= 0 ? (unsigned int)seconds : (unsigned int)own;
}

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	const struct restart_options *o = arg;
	int r;

	if (o->running && !container_is_running(&held->c))
		return 1;
	r = lifecycle_stop(pod, held, timeout_of(&held->c, o->seconds), err);
	return r < 0 ? r : lifecycle_start(pod, held, err);
}

static int run_restart(const struct command *cmd, int argc, char **argv, void *program)
{
	struct restart_options o = { .seconds = -1 };
	struct each each = {
		.act = act,
		.arg = &o,
	};
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}

const struct command command_restart = {
	.name = "restart",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Restart one or more containers",
	.options = restart_option_table,
	.run = run_restart,
};
