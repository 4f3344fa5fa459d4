/*
 * cryo: processes and their image files, with CRIU's command line.
 *
 * The one list of commands is here; each has its own file and table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/program.h"
#include "cmd/cryo/words.h"

static const struct command *const commands[] = {
	&command_check,	  &command_dump, &command_help,	  &command_pre_dump,
	&command_restore, &command_show, &command_verify, NULL,
};

static bool asks_for_version(int argc, char **argv)
{
	return argc > 1 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0);
}

static int run(struct program *program, int argc, char **argv)
{
	cleanup_words struct words words = WORDS_INIT;
	struct error err = ERROR_INIT;
	const struct command *cmd;
	int r;

	if (words_read(&words, commands, argc - 1, argv + 1, &err) < 0)
		return program_fail(program, &err);
	if (!words.command)
		return command_help.run(&command_help, 0, NULL, program);
	cmd = opts_find_command(commands, words.command);
	if (!cmd) {
		(void)err_set(&err, -EINVAL, "unknown command '%s'", words.command);
		err_hint(&err, "'%s help' lists the commands", program->name);
		return program_fail(program, &err);
	}
	/* Parsing moves words about: not in the vector that owns them. */
	argv = calloc(words.rest.n + 1, sizeof(*argv));
	if (!argv) {
		(void)err_oom(&err);
		return program_fail(program, &err);
	}
	if (words.rest.n)
		memcpy(argv, words.rest.items, words.rest.n * sizeof(*argv));
	r = cmd->run(cmd, (int)words.rest.n, argv, program);
	free(argv);
	return r;
}

int main(int argc, char **argv)
{
	struct program program = {
		.name = "cryo",
		.commands = commands,
		.images_dir = -EBADF,
		.work_dir = -EBADF,
		.log_fd = -EBADF,
	};
	int r;

	if (asks_for_version(argc, argv)) {
		printf("cryo version %s\n", CRYOPOD_VERSION);
		return program_finish(&program);
	}
	r = run(&program, argc, argv);
	program_done(&program);
	return r;
}
