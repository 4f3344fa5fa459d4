/*
 * opts: command lines as const tables.
 *
 * A subcommand is one `struct command`: its options with the fields they
 * fill, the words of its help, and the function that runs it. Parsing,
 * --help, and the checks of the man pages all come from the table.
 *
 *	struct run_opts { bool detach; const char *name; struct strv env; };
 *	static const struct opt run_options[] = {
 *		OPT_FLAG('d', "detach", struct run_opts, detach, "run in the background"),
 *		OPT_STRING(0, "name", struct run_opts, name, "NAME", "give it a name"),
 *		OPT_LIST('e', "env", struct run_opts, env, "KEY=VALUE", "set a variable"),
 *		OPT_END,
 *	};
 *
 * Understood forms: --name=value, --name value, --flag, --flag=true|false,
 * -n value, -nvalue, -n=value (runc and Podman write it), clusters of flags
 * (-it), "--" as the end of options. String values are borrowed from argv;
 * list values are copied into the strv. An option may be given repeatedly: the
 * last one wins, lists grow.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strv.h"

struct error;

enum opt_kind {
	OPT_KIND_END,
	OPT_KIND_FLAG,	   /* bool */
	OPT_KIND_STRING,   /* const char * */
	OPT_KIND_OPTIONAL, /* const char *, value only as --name=value; "" without one */
	OPT_KIND_INT,	   /* int */
	OPT_KIND_LIST,	   /* struct strv */
	OPT_KIND_COUNT,	   /* int: -vvv or -v3 */
};

struct opt {
	enum opt_kind kind;
	char short_name; /* 0: none */
	const char *name;
	size_t offset;
	const char *arg;  /* what the value is, for the help */
	const char *help; /* NULL: accepted, not shown */
};

#define OPT_ROW(k, s, n, type, field, a, h)                                                        \
	{                                                                                          \
		.kind = (k), .short_name = (s), .name = (n), .offset = offsetof(type, field),      \
		.arg = (a), .help = (h)                                                            \
	}
#define OPT_FLAG(s, n, type, field, h) OPT_ROW(OPT_KIND_FLAG, s, n, type, field, NULL, h)
#define OPT_STRING(s, n, type, field, a, h) OPT_ROW(OPT_KIND_STRING, s, n, type, field, a, h)
#define OPT_OPTIONAL(s, n, type, field, a, h) OPT_ROW(OPT_KIND_OPTIONAL, s, n, type, field, a, h)
#define OPT_INT(s, n, type, field, a, h) OPT_ROW(OPT_KIND_INT, s, n, type, field, a, h)
#define OPT_LIST(s, n, type, field, a, h) OPT_ROW(OPT_KIND_LIST, s, n, type, field, a, h)
#define OPT_COUNT(s, n, type, field, h) OPT_ROW(OPT_KIND_COUNT, s, n, type, field, "N", h)
#define OPT_END                                                                                    \
	{                                                                                          \
		.kind = OPT_KIND_END                                                               \
	}

struct command {
	const char *name;
	const char *args;  /* behind the options in the synopsis: "CONTAINER [CONTAINER...]" */
	const char *brief; /* one line */
	const struct opt *options;
	/* Options end at the first plain argument (run IMAGE CMD -x: -x is CMD's). */
	bool stop_at_argument;
	/* argv[0..argc) are the plain arguments. Returns the exit code. */
	int (*run)(const struct command *cmd, int argc, char **argv, void *program);
};

/*
 * Fills `values` (a struct the options' offsets refer to) from argv[0..argc),
 * which must not include the command's own name. The plain arguments are
 * moved to the front of argv and counted in *ret_n; a NULL follows the last of
 * them, if argv[argc] is one. -EINVAL with the text
 * "unknown flag: --x", "unknown shorthand flag: 'x' in -xyz", "flag needs an
 * argument: --x" or "invalid argument "v" for "--x" flag: ...".
 * --help and -h are not errors: *ret_help says they were met.
 */
int opts_parse(const struct opt *options, bool stop_at_argument, void *values, int argc,
	       char **argv, int *ret_n, bool *ret_help, struct error *err);

/* Usage line and option table of a command, to standard output. */
void opts_print_help(const char *program, const struct command *cmd);

/* The option table alone, under its heading. */
void opts_print_options(const struct opt *options);

/* The command of that name in a NULL-terminated array of pointers, or NULL. */
const struct command *opts_find_command(const struct command *const *commands, const char *name);
