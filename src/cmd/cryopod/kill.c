/*
 * kill: a signal for the first process of a container.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/signals.h"

struct kill_options {
	bool all;
	bool latest;
	const char *signal;
	int number;
};

static const struct opt kill_option_table[] = {
	OPT_FLAG('a', "all", struct kill_options, all, "all running containers"),
	OPT_FLAG('l', "latest", struct kill_options, latest, "the container created last"),
	OPT_STRING('s', "signal", struct kill_options, signal, "SIGNAL",
		   "the signal to send (KILL)"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	const struct kill_options *o = arg;

	return lifecycle_gone(&held->c, lifecycle_kill(pod, held, o->number, err), err);
}

static int run_kill(const struct command *cmd, int argc, char **argv, void *program)
{
	struct kill_options o = { 0 };
	struct each each = {
		.statuses = 1u << STATUS_RUNNING | 1u << STATUS_PAUSED,
		.act = act,
		.arg = &o,
	};
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	o.number = signal_parse(o.signal ? o.signal : "KILL");
	if (o.number < 0) {
		(void)err_set(&err, -EINVAL, "invalid signal: %s", o.signal);
		return program_fail(&err);
	}
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}

const struct command command_kill = {
	.name = "kill",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Kill one or more running containers with a specific signal",
	.options = kill_option_table,
	.run = run_kill,
};
