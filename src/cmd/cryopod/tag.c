/*
 * tag, untag: names of images.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"
#include "store/change.h"
#include "store/store.h"

static int run_tag(const struct command *cmd, int argc, char **argv, void *program)
{
	const struct program *p = program;
	cleanup_store struct store *store = NULL;
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, NULL, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc < 2) {
		(void)err_set(&err, -EINVAL, "requires at least 2 arg(s), only received %d", argc);
		return program_misuse(program, cmd, &err);
	}
	r = store_open(p->root, &store, &err);
	for (int i = 1; r == 0 && i < argc; i++)
		r = image_tag(store, argv[0], argv[i], &err);
	return r < 0 ? program_fail(&err) : 0;
}

static int run_untag(const struct command *cmd, int argc, char **argv, void *program)
{
	const struct program *p = program;
	cleanup_store struct store *store = NULL;
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, NULL, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc < 1) {
		(void)err_set(&err, -EINVAL, "requires at least 1 arg(s), only received 0");
		return program_misuse(program, cmd, &err);
	}
	r = store_open(p->root, &store, &err);
	if (r == 0)
		r = image_untag(store, argv[0], argv + 1, (size_t)argc - 1, &err);
	return r < 0 ? program_fail(&err) : 0;
}

const struct command command_tag = {
	.name = "tag",
	.args = "IMAGE NAME [NAME...]",
	.brief = "Add an additional name to a local image",
	.run = run_tag,
};

const struct command command_untag = {
	.name = "untag",
	.args = "IMAGE [NAME...]",
	.brief = "Remove a name from a local image",
	.run = run_untag,
};
