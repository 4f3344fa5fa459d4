/*
 * image exists: exit code 0 if the image is in the store, 1 if not.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"
#include "store/image.h"
#include "store/store.h"

static int run_exists(const struct command *cmd, int argc, char **argv, void *program)
{
	const struct program *p = program;
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, NULL, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc != 1) {
		(void)err_set(&err, -EINVAL, "accepts 1 arg(s), received %d", argc);
		return program_misuse(program, cmd, &err);
	}
	r = store_open(p->root, &store, &err);
	if (r == 0)
		r = image_find(store, argv[0], &image, &err);
	if (r == -ENOENT)
		return 1;
	return r < 0 ? program_fail(&err) : 0;
}

const struct command command_image_exists = {
	.name = "exists",
	.args = "IMAGE",
	.brief = "Check if an image exists in local storage",
	.run = run_exists,
};
