#include "cmd/cryorun/program.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

int program_fail(const struct program *program, const struct error *err)
{
	const char *text = err->text[0] ? err->text : strerror(-err->code);

	(void)fflush(stdout); /* what was achieved comes before what was not */
	if (program->log_fd >= 0)
		log_err("%s", text);
	(void)fprintf(stderr, "cryorun: %s\n", text);
	if (err->hint[0])
		(void)fprintf(stderr, "hint: %s\n", err->hint);
	return 1;
}

int program_misuse(const struct program *program, const struct command *cmd,
		   const struct error *err)
{
	(void)program_fail(program, err);
	(void)fprintf(stderr, "See 'cryorun %s --help'\n", cmd->name);
	return 1;
}

int program_parse(const struct program *program, const struct command *cmd, void *values, int argc,
		  char **argv, int min, int max, int *ret_n)
{
	static const struct opt none[] = { OPT_END };
	struct error err = ERROR_INIT;
	bool help = false;
	int r;

	r = opts_parse(cmd->options ? cmd->options : none, cmd->stop_at_argument, values, argc,
		       argv, ret_n, &help, &err);
	if (r < 0)
		return program_misuse(program, cmd, &err);
	if (help) {
		opts_print_help("cryorun", cmd);
		return program_finish(program);
	}
	if (*ret_n < min || (max >= 0 && *ret_n > max)) {
		(void)err_set(&err, -EINVAL, "\"%s\" requires %s %d argument%s", cmd->name,
			      max == min     ? "exactly"
			      : *ret_n < min ? "at least"
					     : "at most",
			      *ret_n < min ? min : max, (*ret_n < min ? min : max) == 1 ? "" : "s");
		return program_misuse(program, cmd, &err);
	}
	return PROGRAM_GO_ON;
}

int program_finish(const struct program *program)
{
	struct error err = ERROR_INIT;

	if (fflush(stdout) == 0)
		return 0;
	(void)err_sys(&err, "write to standard output");
	return program_fail(program, &err);
}

int program_end(const struct program *program, int r, const struct error *err)
{
	return r < 0 ? program_fail(program, err) : program_finish(program);
}

void program_reset_log(const struct program *program)
{
	const bool json = strcmp(program->log_format, "json") == 0;

	log_set_fd(program->log_fd >= 0 ? program->log_fd : STDERR_FILENO);
	log_set_format(json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
	log_set_level(program->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
}
