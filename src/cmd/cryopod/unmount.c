/*
 * unmount: the end of mount.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct unmount_options {
	bool all;
	bool latest;
	bool force;
};

static const struct opt unmount_option_table[] = {
	OPT_FLAG('a', "all", struct unmount_options, all, "all containers that are mounted"),
	OPT_FLAG('f', "force", struct unmount_options, force, "even if it is in use"),
	OPT_FLAG('l', "latest", struct unmount_options, latest, "the container created last"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	const struct unmount_options *o = arg;
	int r;

	if (o->all && (!held->c.state.mounted || (container_is_alive(&held->c) && !o->force)))
		return 1;
	r = root_unmount_user(pod, held, o->force, err);
	return r;
}

static int run_unmount(const struct command *cmd, int argc, char **argv, void *program)
{
	struct unmount_options o = { 0 };
	struct each each = { .act = act, .arg = &o };
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}

const struct command command_unmount = {
	.name = "unmount",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Unmount a working container's root filesystem",
	.options = unmount_option_table,
	.run = run_unmount,
};
