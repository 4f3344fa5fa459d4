/*
 * import: a root file system becomes an image.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"
#include "store/image.h"
#include "store/import.h"
#include "store/store.h"

struct options {
	struct import_options import;
	bool quiet;
};

#define IMPORT_STRING(s, n, field, a, h) OPT_STRING(s, n, struct options, import.field, a, h)

static const struct opt option_table[] = {
	OPT_LIST('c', "change", struct options, import.changes, "INSTRUCTION",
		 "CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR"),
	IMPORT_STRING('m', "message", message, "TEXT", "comment of the new image"),
	IMPORT_STRING(0, "os", os, "OS", "operating system of the image"),
	IMPORT_STRING(0, "arch", arch, "ARCH", "machine of the image"),
	IMPORT_STRING(0, "variant", variant, "VARIANT", "variant of the machine"),
	OPT_FLAG('q', "quiet", struct options, quiet, "no progress (there is none)"),
	OPT_END,
};

static int import(const struct program *program, struct options *o, int argc, char **argv)
{
	cleanup_store struct store *store = NULL;
	struct error err = ERROR_INIT;
	char id[IMAGE_ID_SIZE];
	int r;

	o->import.name = argc > 1 ? argv[1] : NULL;
	r = store_open(program->root, &store, &err);
	if (r == 0)
		r = image_import(store, argv[0], STDIN_FILENO, &o->import, id, &err);
	if (r < 0)
		return program_fail(&err);
	printf("sha256:%s\n", id);
	return program_finish();
}

static int run_import(const struct command *cmd, int argc, char **argv, void *program)
{
	struct options o = { .quiet = false };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r == PROGRAM_GO_ON && argc == 0) {
		(void)err_set(&err, -EINVAL,
			      "need to give the path to the tarball, or must "
			      "specify a tarball of '-' for stdin");
		r = program_misuse(program, cmd, &err);
	} else if (r == PROGRAM_GO_ON && argc > 2) {
		(void)err_set(&err, -EINVAL, "too many arguments. Usage TARBALL [REFERENCE]");
		r = program_misuse(program, cmd, &err);
	} else if (r == PROGRAM_GO_ON) {
		r = import(program, &o, argc, argv);
	}
	strv_done(&o.import.changes);
	return r;
}

const struct command command_import = {
	.name = "import",
	.args = "TARBALL|FOLDER|- [NAME]",
	.brief = "Import a root file system to create an image",
	.options = option_table,
	.run = run_import,
};
