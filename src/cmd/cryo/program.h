/*
 * program: what all commands of cryo share: CRIU's common options, the folders
 * they name, the log, and how a failure is told.
 *
 * A command's options embed the common ones:
 *
 *	struct dump_options { struct common_options common; const char *tree; ... };
 *	static const struct opt dump_option_table[] = {
 *		COMMON_OPTIONS(struct dump_options, common),
 *		OPT_STRING('t', "tree", struct dump_options, tree, "PID", "root of the tree"),
 *		OPT_END,
 *	};
 *
 * and its function receives the words behind its name, options included:
 *
 *	struct dump_options o = { .common = COMMON_OPTIONS_INIT };
 *	struct program *p = program;
 *	int r = program_begin(p, cmd, &o, &o.common, &argc, argv);
 *
 *	if (r != PROGRAM_GO_ON)
 *		return r;
 *	...
 *	return program_fail(p, &err);    or    return program_finish(p);
 */
#pragma once

#include "base/opts.h"

struct error;

#define PROGRAM_GO_ON (-1)
#define EXIT_FAILED 1 /* CRIU's code for every failure */

struct common_options {
	int verbosity; /* 0 to 4 */
	const char *log_file;
	const char *images_dir;
	const char *work_dir;
	const char *config;	/* read by main before the command line */
	bool no_default_config; /* we have none */
	bool display_stats;
	bool log_pid; /* accepted: there is one log */
};

#define COMMON_OPTIONS_INIT                                                                        \
	{                                                                                          \
		.verbosity = 2                                                                     \
	}

#define COMMON_OPTIONS(type, field)                                                                \
	OPT_STRING('D', "images-dir", type, field.images_dir, "DIR", "where the images are"),      \
		OPT_STRING('W', "work-dir", type, field.work_dir, "DIR",                           \
			   "where logs and statistics go (the images' folder)"),                   \
		OPT_STRING('o', "log-file", type, field.log_file, "FILE",                          \
			   "write the log to this file in the work folder (-: standard output)"),  \
		OPT_COUNT('v', "verbosity", type, field.verbosity,                                 \
			  "what is logged: 1 errors, 2 warnings, 3 steps, 4 everything"),          \
		OPT_STRING(0, "config", type, field.config, "FILE",                                \
			   "read further options from this file"),                                 \
		OPT_FLAG(0, "display-stats", type, field.display_stats,                            \
			 "print times and page counts at the end"),                                \
		OPT_FLAG(0, "no-default-config", type, field.no_default_config, NULL),             \
		OPT_FLAG(0, "log-pid", type, field.log_pid, NULL)

struct program {
	const char *name;		       /* "cryo" */
	const struct command *const *commands; /* NULL-terminated */
	int images_dir;			       /* -EBADF until program_begin() */
	int work_dir;
	int log_fd; /* -EBADF: standard error */
};

/*
 * Reads the command's options, opens the two folders (-D, else where we are;
 * -W, else the same) and the log. PROGRAM_GO_ON: argv[0..*argc) are the plain
 * arguments now. Anything else is the exit code: help was printed, or the
 * error was told.
 */
int program_begin(struct program *program, const struct command *cmd, void *values,
		  struct common_options *common, int *argc, char **argv);

/* Tells the error and its hint on standard error and in the log file: EXIT_FAILED. */
int program_fail(const struct program *program, const struct error *err);

/* A mistake in the command line: the error, and where the help is. */
int program_misuse(const struct program *program, const struct command *cmd,
		   const struct error *err);

/* Writes out what standard output still holds: 0, or EXIT_FAILED when that failed. */
int program_finish(const struct program *program);

/* Closes what program_begin() opened. */
void program_done(struct program *program);
