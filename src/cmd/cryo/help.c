/*
 * help: which commands there are, and what one of them takes.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryo/commands.h"
#include "cmd/cryo/program.h"

static const struct opt help_option_table[] = {
	OPT_END,
};

static int run_help(const struct command *cmd, int argc, char **argv, void *program)
{
	struct program *p = program;
	struct error err = ERROR_INIT;
	const struct command *about;

	if (argc > 0 && argv[0][0] != '-') {
		about = opts_find_command(p->commands, argv[0]);
		if (!about) {
			(void)err_set(&err, -EINVAL, "unknown command '%s'", argv[0]);
			return program_misuse(p, cmd, &err);
		}
		opts_print_help(p->name, about);
		return program_finish(p);
	}
	printf("Freeze processes to disk and bring them back\n\n"
	       "Usage:\n  %s COMMAND [options]\n\nCommands:\n",
	       p->name);
	for (const struct command *const *c = p->commands; *c; c++)
		printf("  %-12s %s\n", (*c)->name, (*c)->brief);
	printf("\n'%s COMMAND --help' shows the options of a command.\n", p->name);
	return program_finish(p);
}

const struct command command_help = {
	.name = "help",
	.args = "[COMMAND]",
	.brief = "Show the commands, or the options of one",
	.options = help_option_table,
	.run = run_help,
};
