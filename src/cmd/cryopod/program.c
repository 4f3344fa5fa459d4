#include "cmd/cryopod/program.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* "cryopod container" or "cryopod" */
static void program_words(const struct program *program, char *words, size_t size)
{
	(void)snprintf(words, size, "cryopod%s%s", program->group ? " " : "",
		       program->group ? program->group : "");
}

int program_options(const struct program *program, const struct command *cmd, void *values,
		    int *argc, char **argv)
{
	static const struct opt none[] = { OPT_END };
	struct error err = ERROR_INIT;
	bool help = false;
	char words[64];
	int r;

	r = opts_parse(cmd->options ? cmd->options : none, cmd->stop_at_argument, values, *argc,
		       argv, argc, &help, &err);
	if (r < 0)
		return program_misuse(program, cmd, &err);
	if (help) {
		program_words(program, words, sizeof(words));
		opts_print_help(words, cmd);
		return program_finish();
	}
	return PROGRAM_GO_ON;
}

int program_fail(const struct error *err)
{
	(void)fflush(stdout); /* what was achieved comes before what was not */
	(void)fprintf(stderr, "Error: %s\n", err->text[0] ? err->text : strerror(-err->code));
	if (err->hint[0])
		(void)fprintf(stderr, "hint: %s\n", err->hint);
	return EXIT_ENGINE;
}

int program_misuse(const struct program *program, const struct command *cmd,
		   const struct error *err)
{
	char words[64];

	(void)program_fail(err);
	program_words(program, words, sizeof(words));
	(void)fprintf(stderr, "See '%s %s --help'\n", words, cmd->name);
	return EXIT_ENGINE;
}

int program_finish(void)
{
	struct error err = ERROR_INIT;

	if (fflush(stdout) == 0)
		return 0;
	(void)err_sys(&err, "write to standard output");
	return program_fail(&err);
}
