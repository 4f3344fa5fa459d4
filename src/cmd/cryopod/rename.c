/*
 * rename: another name for a container.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/create.h"
#include "pod/db.h"
#include "pod/held.h"

static int rename_container(struct pod *pod, const char *word, const char *name, struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	char id[ID_LEN + 1];
	int r = db_find(pod->db, word, id, err);

	if (r == 0)
		r = name_check(name, err);
	if (r == 0)
		r = held_take(pod, id, &held, err);
	if (r == 0)
		r = state_set_string(&held.c.name, name, err);
	if (r < 0)
		return r;
	if (json_object_set_new(held.c.config, "name", json_string(name)) < 0)
		return err_oom(err);
	r = db_save_config(pod->db, &held.c, err);
	if (r == -EEXIST)
		return err_set(err, r, "name \"%s\" is in use: container already exists", name);
	return r;
}

static int run_rename(const struct command *cmd, int argc, char **argv, void *program)
{
	cleanup_pod struct pod pod = POD_INIT;
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, NULL, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc != 2) {
		(void)err_set(&err, -EINVAL, "accepts 2 arg(s), received %d", argc);
		return program_fail(&err);
	}
	r = program_open(program, &pod, &err);
	if (r == 0)
		r = rename_container(&pod, argv[0], argv[1], &err);
	return r < 0 ? program_fail(&err) : 0;
}

const struct command command_rename = {
	.name = "rename",
	.args = "CONTAINER NAME",
	.brief = "Rename an existing container",
	.run = run_rename,
};
