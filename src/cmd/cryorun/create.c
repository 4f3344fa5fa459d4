#include <errno.h>
#include <stddef.h>

#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

static const struct opt options[] = {
	OPT_STRING('b', "bundle", struct create_opts, bundle, "DIR", "folder with config.json (.)"),
	OPT_STRING(0, "console-socket", struct create_opts, console_socket, "PATH",
		   "unix socket that receives the terminal's master end"),
	OPT_STRING(0, "pid-file", struct create_opts, pid_file, "FILE",
		   "write the process id there"),
	OPT_FLAG(0, "no-pivot", struct create_opts, no_pivot,
		 "change the root without pivot_root(2)"),
	OPT_FLAG(0, "no-new-keyring", struct create_opts, no_new_keyring,
		 "keep the caller's session keyring"),
	OPT_INT(0, "preserve-fds", struct create_opts, preserve_fds, "N",
		"pass N more descriptors (3, 4, ...)"),
	OPT_END,
};

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct create_opts o = { .console_fd = -EBADF };
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	return program_end(program, runtime_create(&program->runtime, argv[0], &o, NULL, &err),
			   &err);
}

const struct command command_create = {
	.name = "create",
	.args = "CONTAINER",
	.brief = "create a container, whose program waits for 'start'",
	.options = options,
	.run = run,
};
