#include <errno.h>
#include <stddef.h>

#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

struct run_values {
	struct run_opts run;
	bool no_subreaper;
};

static const struct opt options[] = {
	OPT_STRING('b', "bundle", struct run_values, run.create.bundle, "DIR",
		   "folder with config.json (.)"),
	OPT_STRING(0, "console-socket", struct run_values, run.create.console_socket, "PATH",
		   "unix socket that receives the terminal's master end"),
	OPT_FLAG('d', "detach", struct run_values, run.detach, "return when it runs"),
	OPT_FLAG(0, "keep", struct run_values, run.keep, "do not delete it at its end"),
	OPT_STRING(0, "pid-file", struct run_values, run.create.pid_file, "FILE",
		   "write the process id there"),
	OPT_FLAG(0, "no-subreaper", struct run_values, no_subreaper, NULL),
	OPT_FLAG(0, "no-pivot", struct run_values, run.create.no_pivot,
		 "change the root without pivot_root(2)"),
	OPT_FLAG(0, "no-new-keyring", struct run_values, run.create.no_new_keyring,
		 "keep the caller's session keyring"),
	OPT_INT(0, "preserve-fds", struct run_values, run.create.preserve_fds, "N",
		"pass N more descriptors (3, 4, ...)"),
	OPT_END,
};

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct run_values o = { .run = { .create = { .console_fd = -EBADF } } };
	struct error err = ERROR_INIT;
	int code = 0;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	r = runtime_run(&program->runtime, argv[0], &o.run, &code, &err);
	return r < 0 ? program_fail(program, &err) : code;
}

const struct command command_run = {
	.name = "run",
	.args = "CONTAINER",
	.brief = "create and start a container",
	.options = options,
	.run = run,
};
