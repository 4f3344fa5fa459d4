/*
 * cryorun: an OCI runtime with runc's command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"
#include "runtime/self.h"

static const struct opt global_options[] = {
	OPT_STRING(0, "root", struct program, runtime.root, "DIR",
		   "where the state of containers is kept (" RUNTIME_ROOT ")"),
	OPT_STRING(0, "log", struct program, log_path, "FILE", "write log lines there"),
	OPT_STRING(0, "log-format", struct program, log_format, "text|json", "how they look"),
	OPT_FLAG(0, "debug", struct program, debug, "log each step"),
	OPT_FLAG(0, "systemd-cgroup", struct program, runtime.systemd_cgroup,
		 "accepted: groups are made by cgroupfs, where systemd would have made them"),
	OPT_STRING(0, "rootless", struct program, ignored, "true|false|auto",
		   "accepted: cryorun runs as root"),
	OPT_STRING(0, "criu", struct program, ignored, "PATH",
		   "accepted: cryorun checkpoints by itself"),
	OPT_STRING(0, "cgroup-manager", struct program, ignored, "NAME", NULL),
	OPT_FLAG('v', "version", struct program, version, "print the version"),
	OPT_END,
};

static const struct command *const commands[] = {
	&command_checkpoint, &command_create,  &command_delete,
	&command_events,     &command_exec,    &command_features,
	&command_kill,	     &command_list,    &command_pause,
	&command_ps,	     &command_restore, &command_resume,
	&command_run,	     &command_spec,    &command_start,
	&command_state,	     &command_update,  NULL,
};

static int print_top_help(const struct program *program)
{
	printf("Run, freeze and revive OCI containers\n\nUsage:\n  cryorun [options] COMMAND\n\n"
	       "Commands:\n");
	for (size_t i = 0; commands[i]; i++)
		printf("  %-12s %s\n", commands[i]->name, commands[i]->brief);
	opts_print_options(global_options);
	return program_finish(program);
}

static int print_version(const struct program *program)
{
	printf("cryorun version %s\nspec: 1.0.2\n", CRYOPOD_VERSION);
	return program_finish(program);
}

static int open_log(struct program *program, struct error *err)
{
	if (strcmp(program->log_format, "json") != 0 && strcmp(program->log_format, "text") != 0)
		return err_set(err, -EINVAL, "invalid log-format: %s", program->log_format);
	if (!program->log_path || !*program->log_path) {
		program_reset_log(program);
		return 0;
	}
	/* Appending: the caller may collect several runs in one file. */
	program->log_fd =
		open(program->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (program->log_fd < 0)
		return err_sys(err, "open log '%s'", program->log_path);
	program_reset_log(program);
	return 0;
}

/* Those whose process becomes a container's. */
static bool enters_container(const struct command *cmd)
{
	return cmd == &command_create || cmd == &command_run || cmd == &command_exec;
}

/* `words` is the whole command line. */
static int run_command(struct program *program, int argc, char **argv, char *const *words)
{
	struct error err = ERROR_INIT;
	const struct command *cmd;

	if (argc == 0 || strcmp(argv[0], "help") == 0)
		return print_top_help(program);
	if (open_log(program, &err) < 0)
		return program_fail(program, &err);
	cmd = opts_find_command(commands, argv[0]);
	if (!cmd) {
		(void)err_set(&err, -EINVAL, "unknown command '%s'", argv[0]);
		err_hint(&err, "'cryorun --help' lists the commands");
		return program_fail(program, &err);
	}
	if (enters_container(cmd) && self_protect(words, &err) < 0)
		return program_fail(program, &err);
	return cmd->run(cmd, argc - 1, argv + 1, program);
}

int main(int argc, char **argv)
{
	struct program program = { .runtime = { .root = RUNTIME_ROOT },
				   .log_format = "text",
				   .log_fd = -EBADF,
				   .engine_log_fd = -EBADF };
	/* Parsing moves the words about; whoever executes us anew needs them as they were. */
	cleanup_free char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct error err = ERROR_INIT;
	bool help = false;
	int n = 0;

	if (!words) {
		(void)err_oom(&err);
		return program_fail(&program, &err);
	}
	memcpy(words, argv, (size_t)argc * sizeof(*words));
	if (opts_parse(global_options, true, &program, argc - 1, argv + 1, &n, &help, &err) < 0)
		return program_fail(&program, &err);
	if (help)
		return print_top_help(&program);
	if (program.version)
		return print_version(&program);
	return run_command(&program, n, argv + 1, words);
}
