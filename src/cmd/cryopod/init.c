/*
 * init: an OCI container is made of a remembered one, and waits for start.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct init_options {
	bool all;
	bool latest;
};

static const struct opt init_option_table[] = {
	OPT_FLAG('a', "all", struct init_options, all, "all containers that were only created"),
	OPT_FLAG('l', "latest", struct init_options, latest, "the container created last"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	(void)arg;
	return lifecycle_init(pod, held, err);
}

static int run_init(const struct command *cmd, int argc, char **argv, void *program)
{
	struct init_options o = { 0 };
	struct each each = {
		.statuses = 1u << STATUS_CREATED,
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

const struct command command_init = {
	.name = "init",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Initialize one or more containers",
	.options = init_option_table,
	.run = run_init,
};
