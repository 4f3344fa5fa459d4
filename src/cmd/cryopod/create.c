/*
 * create: a container is remembered; nothing runs or is mounted yet.
 */
#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/create-table.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"

struct create_command {
	struct create_options create;
};

static const struct opt create_option_table[] = {
	CREATE_OPTIONS(struct create_command),
	OPT_END,
};

static int create(const struct program *program, const struct create_options *o)
{
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_container struct container c = CONTAINER_INIT;
	struct error err = ERROR_INIT;
	int r = program_open(program, &pod, &err);

	if (r == 0)
		r = container_create(&pod, o, &c, &err);
	if (r < 0)
		return program_fail(&err);
	printf("%s\n", c.id);
	return program_finish();
}

static int run_create(const struct command *cmd, int argc, char **argv, void *program)
{
	struct create_command o = { 0 };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r == PROGRAM_GO_ON && argc == 0) {
		(void)err_set(&err, -EINVAL, "requires at least 1 arg(s), only received 0");
		r = program_fail(&err);
	} else if (r == PROGRAM_GO_ON) {
		o.create.image = argv[0];
		o.create.command = argv + 1;
		o.create.n_command = (size_t)argc - 1;
		o.create.typed = ((const struct program *)program)->argv;
		r = create(program, &o.create);
	}
	create_options_done(&o.create);
	return r;
}

const struct command command_create = {
	.name = "create",
	.args = "IMAGE [COMMAND [ARG...]]",
	.brief = "Create but do not start a container",
	.options = create_option_table,
	.stop_at_argument = true,
	.run = run_create,
};
