/*
 * save: an image into an archive.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"
#include "store/save.h"
#include "store/store.h"

struct options {
	const char *output;
	const char *format;
	bool quiet;
};

static const struct opt option_table[] = {
	OPT_STRING('o', "output", struct options, output, "FILE|FOLDER",
		   "where it goes (standard output, unless given)"),
	OPT_STRING(0, "format", struct options, format, "FORMAT",
		   "docker-archive (default), oci-archive, oci-dir, docker-dir"),
	OPT_FLAG('q', "quiet", struct options, quiet, "no progress (there is none)"),
	OPT_END,
};

/* An archive is made as a file, and then read out. */
static int save_to_stdout(struct store *store, const char *image, const char *format,
			  struct error *err)
{
	cleanup_free char *chunk = malloc(1 << 18);
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -EBADF;
	ssize_t n = 0;
	int r;

	if (!chunk || asprintf(&path, "%s/save.%d", store_root(store), getpid()) < 0)
		return err_oom(err);
	r = image_save(store, image, format, path, err);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	(void)unlink(path); /* the descriptor keeps it as long as it is read */
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	while (r == 0 && (n = read(fd, chunk, 1 << 18)) > 0) {
		r = fd_write_all(STDOUT_FILENO, chunk, (size_t)n);
		if (r < 0)
			return err_set(err, r, "write to standard output: %s", strerror(-r));
	}
	return n < 0 ? err_sys(err, "read '%s'", path) : 0;
}

static int save(const struct program *program, const struct options *o, const char *image,
		struct error *err)
{
	const char *format = o->format ? o->format : "docker-archive";
	cleanup_store struct store *store = NULL;
	int r;

	r = store_open(program->root, &store, err);
	if (r < 0)
		return r;
	if (o->output)
		return image_save(store, image, format, o->output, err);
	if (isatty(STDOUT_FILENO))
		return err_set(err, -EINVAL,
			       "refusing to save to terminal. Use -o flag or redirect");
	if (strstr(format, "-dir"))
		return err_set(err, -EINVAL, "format \"%s\" needs the --output flag", format);
	return save_to_stdout(store, image, format, err);
}

static int run_save(const struct command *cmd, int argc, char **argv, void *program)
{
	struct options o = { .output = NULL };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc != 1) {
		(void)err_set(&err, -EINVAL, "one image must be given, received %d", argc);
		return program_misuse(program, cmd, &err);
	}
	r = save(program, &o, argv[0], &err);
	return r < 0 ? program_fail(&err) : 0;
}

const struct command command_save = {
	.name = "save",
	.args = "IMAGE",
	.brief = "Save an image to an archive",
	.options = option_table,
	.run = run_save,
};
