/*
 * rmi: names and images go.
 *
 * Exit codes are Podman's: 1 for an image that does not exist, 2 for one that
 * containers use.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/image-users.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "store/change.h"
#include "store/image.h"
#include "store/store.h"

#define EXIT_UNKNOWN 1
#define EXIT_IN_USE 2

struct options {
	bool all;
	bool force;
	bool ignore;
};

static const struct opt option_table[] = {
	OPT_FLAG('a', "all", struct options, all, "all images"),
	OPT_FLAG('f', "force", struct options, force, "containers of the image go as well"),
	OPT_FLAG('i', "ignore", struct options, ignore, "unknown images are no error"),
	OPT_END,
};

static int code_of(int r)
{
	return r == -ENOENT ? EXIT_UNKNOWN : r == -EBUSY ? EXIT_IN_USE : EXIT_ENGINE;
}

/* Returns the exit code of this one. */
static int remove_one(struct store *store, const struct options *o, const char *name,
		      const struct image_users *users)
{
	cleanup_image_removal struct image_removal removal = IMAGE_REMOVAL_INIT;
	struct error err = ERROR_INIT;
	int r;

	r = image_remove(store, name, o->force, users, &removal, &err);
	if (r == -ENOENT && (o->ignore || o->force))
		return 0;
	if (r < 0) {
		(void)program_fail(&err);
		return code_of(r);
	}
	for (size_t i = 0; i < removal.untagged.n; i++)
		printf("Untagged: %s\n", removal.untagged.items[i]);
	for (size_t i = 0; i < removal.deleted.n; i++)
		printf("Deleted: %s\n", removal.deleted.items[i]);
	return 0;
}

/* All names of all images: the last one takes the image with it. */
static int remove_all(struct store *store, const struct options *o, const struct image_users *users,
		      struct error *err)
{
	cleanup_image_list struct image_list list = IMAGE_LIST_INIT;
	int code = 0;
	int r;

	r = image_list(store, &list, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		const struct image_row *row = &list.rows[i];
		int one = row->names.n == 0 ? remove_one(store, o, row->id, users) : 0;

		for (size_t k = 0; one == 0 && k < row->names.n; k++)
			one = remove_one(store, o, row->names.items[k], users);
		code = one ? one : code;
	}
	return code;
}

static int remove_images(const struct program *program, const struct options *o, int argc,
			 char **argv)
{
	cleanup_pod struct pod pod = POD_INIT;
	struct image_users users = image_users_of(&pod);
	struct error err = ERROR_INIT;
	struct store *store = NULL;
	int code = 0;
	int r;

	r = program_open(program, &pod, &err);
	if (r == 0)
		r = pod_store(&pod, &store, &err);
	if (r == 0 && o->all)
		r = code = remove_all(store, o, &users, &err);
	if (r < 0)
		return program_fail(&err);
	for (int i = 0; i < argc; i++) {
		r = remove_one(store, o, argv[i], &users);
		code = r ? r : code;
	}
	return code ? code : program_finish();
}

static int run_rmi(const struct command *cmd, int argc, char **argv, void *program)
{
	struct options o = { .all = false };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc == 0 && !o.all)
		(void)err_set(&err, -EINVAL, "image name or ID must be specified");
	else if (argc > 0 && o.all)
		(void)err_set(
			&err, -EINVAL,
			"when using the --all switch, you may not pass any images names or IDs");
	if (err.code)
		return program_misuse(program, cmd, &err);
	return remove_images(program, &o, argc, argv);
}

const struct command command_rmi = {
	.name = "rmi",
	.args = "IMAGE [IMAGE...]",
	.brief = "Remove one or more images from local storage",
	.options = option_table,
	.run = run_rmi,
};
