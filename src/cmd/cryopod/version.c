/*
 * version: which cryopod this is.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"

struct version_options {
	const char *format;
};

static const struct opt version_option_table[] = {
	OPT_STRING('f', "format", struct version_options, format, "json", "print it as JSON"),
	OPT_END,
};

static int run_version(const struct command *cmd, int argc, char **argv, void *program)
{
	struct version_options o = { 0 };
	struct error err = ERROR_INIT;
	struct utsname uts;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc > 0) {
		(void)err_set(&err, -EINVAL, "`cryopod version` takes no arguments");
		return program_misuse(program, cmd, &err);
	}
	if (uname(&uts) < 0) {
		(void)err_sys(&err, "uname");
		return program_fail(&err);
	}
	if (o.format && strcmp(o.format, "json") == 0) {
		printf("{\n  \"Client\": {\n    \"Version\": \"%s\",\n    \"OsArch\": \"linux/%s\"\n"
		       "  }\n}\n",
		       CRYOPOD_VERSION, uts.machine);
	} else if (o.format) {
		(void)err_set(&err, -EINVAL, "format '%s' is not known here; \"json\" is",
			      o.format);
		return program_fail(&err);
	} else {
		printf("Client:       Cryopod\nVersion:      %s\nOS/Arch:      linux/%s\n"
		       "Kernel:       %s\n",
		       CRYOPOD_VERSION, uts.machine, uts.release);
	}
	return program_finish();
}

const struct command command_version = {
	.name = "version",
	.args = NULL,
	.brief = "Display the Cryopod version information",
	.options = version_option_table,
	.run = run_version,
};
