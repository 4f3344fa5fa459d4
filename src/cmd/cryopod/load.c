/*
 * load: images from an archive that `docker save` or `podman save` wrote.
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
#include "store/store.h"
#include "store/transport.h"

struct options {
	const char *input;
	const char *signature_policy;
	bool quiet;
};

static const struct opt option_table[] = {
	OPT_STRING('i', "input", struct options, input, "FILE",
		   "the archive (standard input, unless given)"),
	OPT_FLAG('q', "quiet", struct options, quiet, "no progress"),
	OPT_STRING(0, "signature-policy", struct options, signature_policy, "FILE", NULL),
	OPT_END,
};

/* skopeo needs to go back and forth in it: what comes through a pipe is put into a file. */
static int spool(const char *root, char *path, size_t size, struct error *err)
{
	cleanup_free char *chunk = malloc(1 << 18);
	cleanup_fd int fd = -EBADF;
	ssize_t n;

	if (!chunk)
		return err_oom(err);
	(void)snprintf(path, size, "%s/load.XXXXXX", root);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "create '%s'", path);
	while ((n = read(STDIN_FILENO, chunk, 1 << 18)) != 0) {
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read standard input");
		r = fd_write_all(fd, chunk, (size_t)n);
		if (r < 0)
			return err_set(err, r, "write '%s': %s", path, strerror(-r));
	}
	return 0;
}

static int load(const struct program *program, const struct options *o,
		const struct pull_options *pull, struct strv *names, struct error *err)
{
	cleanup_store struct store *store = NULL;
	char path[4096] = "";
	int r;

	r = store_open(program->root, &store, err);
	if (r < 0)
		return r;
	if (o->input && strcmp(o->input, "-") != 0)
		return image_load(store, o->input, pull, names, err);
	r = spool(program->root, path, sizeof(path), err);
	if (r == 0)
		r = image_load(store, path, pull, names, err);
	if (path[0])
		(void)unlink(path); /* it is only our copy */
	return r;
}

static int run_load(const struct command *cmd, int argc, char **argv, void *program)
{
	struct pull_options pull = PULL_OPTIONS_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	struct options o = { .input = NULL };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc > 0) {
		(void)err_set(&err, -EINVAL, "`cryopod load` takes no arguments");
		return program_misuse(program, cmd, &err);
	}
	if (!o.input && isatty(STDIN_FILENO)) {
		(void)err_set(&err, -EINVAL,
			      "cannot read from terminal, use command-line redirection or the "
			      "--input flag");
		return program_fail(&err);
	}
	pull.signature_policy = o.signature_policy;
	if (!o.quiet && isatty(STDERR_FILENO))
		pull.progress_fd = STDERR_FILENO;
	r = load(program, &o, &pull, &names, &err);
	if (r < 0)
		return program_fail(&err);
	for (size_t i = 0; i < names.n; i++)
		printf("Loaded image: %s\n", names.items[i]);
	return program_finish();
}

const struct command command_load = {
	.name = "load",
	.args = NULL,
	.brief = "Load images from an archive",
	.options = option_table,
	.run = run_load,
};
