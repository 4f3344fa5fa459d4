/*
 * exists: 0 or 1, without a word.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/container.h"
#include "pod/db.h"

static int run_exists(const struct command *cmd, int argc, char **argv, void *program)
{
	cleanup_pod struct pod pod = POD_INIT;
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];
	int r = program_options(program, cmd, NULL, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc != 1) {
		(void)err_set(&err, -EINVAL, "accepts 1 arg(s), received %d", argc);
		return program_fail(&err);
	}
	r = program_open(program, &pod, &err);
	if (r == 0)
		r = db_find(pod.db, argv[0], id, &err);
	if (r == -ENOENT)
		return 1;
	return r < 0 ? program_fail(&err) : 0;
}

const struct command command_container_exists = {
	.name = "exists",
	.args = "CONTAINER",
	.brief = "Check whether a container exists",
	.run = run_exists,
};
