/*
 * unpause: the processes of a paused container go on.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct unpause_options {
	bool all;
	bool latest;
};

static const struct opt unpause_option_table[] = {
	OPT_FLAG('a', "all", struct unpause_options, all, "all paused containers"),
	OPT_FLAG('l', "latest", struct unpause_options, latest, "the container created last"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	(void)arg;
	return lifecycle_unpause(pod, held, err);
}

static int run_unpause(const struct command *cmd, int argc, char **argv, void *program)
{
	struct unpause_options o = { 0 };
	struct each each = {
		.statuses = 1u << STATUS_PAUSED,
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

const struct command command_unpause = {
	.name = "unpause",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Unpause the processes in one or more containers",
	.options = unpause_option_table,
	.run = run_unpause,
};
