/*
 * stop: the stop signal, then SIGKILL.
 */
#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/signals.h"

struct stop_options {
	bool all;
	bool latest;
	bool ignore;
	int seconds;
};

static const struct opt stop_option_table[] = {
	OPT_FLAG('a', "all", struct stop_options, all, "all running containers"),
	OPT_FLAG('l', "latest", struct stop_options, latest, "the container created last"),
	OPT_FLAG('i', "ignore", struct stop_options, ignore, "unknown containers are no error"),
	OPT_INT('t', "time", struct stop_options, seconds, "SECONDS",
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
	const struct stop_options *o = arg;
	unsigned int timeout = timeout_of(&held->c, o->seconds);
	const char *signal =
		signal_word((int)json_integer_value(json_object_get(held->c.config, "stopSignal")));
	int r = lifecycle_stop(pod, held, timeout, err);

	if (r > 0)
		log_warn("StopSignal %s failed to stop container %s in %u seconds, resorting to "
			 "SIGKILL",
			 signal ? signal : "(none)", held->c.name, timeout);
	return r < 0 ? lifecycle_gone(&held->c, r, err) : 0;
}

static int run_stop(const struct command *cmd, int argc, char **argv, void *program)
{
	struct stop_options o = { .seconds = -1 };
	struct each each = {
		.statuses = 1u << STATUS_RUNNING | 1u << STATUS_PAUSED | 1u << STATUS_INITIALIZED,
		.act = act,
		.arg = &o,
	};
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.ignore = o.ignore;
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}

const struct command command_stop = {
	.name = "stop",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Stop one or more containers",
	.options = stop_option_table,
	.run = run_stop,
};
