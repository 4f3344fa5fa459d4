/*
 * program: what every cryorun command is given, and how it ends.
 *
 * A command's function receives the words behind its name and begins with
 *
 *	struct kill_options o = { .all = false };
 *	int r = program_parse(program, cmd, &o, argc, argv, 1, 2, &argc);
 *
 *	if (r != PROGRAM_GO_ON)
 *		return r;
 *
 * Exit codes are runc's: 1 for any failure of ours, else 0 or the program's own.
 */
#pragma once

#include "base/opts.h"
#include "cryo/error.h"
#include "runtime/runtime.h"

#define PROGRAM_GO_ON (-1)

struct program {
	struct runtime runtime;
	const char *log_path;	/* NULL: standard error only */
	const char *log_format; /* "text" or "json" */
	const char *ignored;	/* options of others that change nothing here */
	bool debug;
	bool version;
	int log_fd;	   /* negative: no log */
	int engine_log_fd; /* negative: not now */
};

/* PROGRAM_GO_ON with *ret_n plain arguments, of which there are `min` to `max` (negative: any
 * number), or the exit code. */
int program_parse(const struct program *program, const struct command *cmd, void *values, int argc,
		  char **argv, int min, int max, int *ret_n);

/* Tells an error where the caller looks for it: standard error, and the log. Returns 1. */
int program_fail(const struct program *program, const struct error *err);

/* The same, with a pointer to the command's help. */
int program_misuse(const struct program *program, const struct command *cmd,
		   const struct error *err);

/* What was printed must have arrived. */
int program_finish(const struct program *program);

/* The exit code for a call's result. */
int program_end(const struct program *program, int r, const struct error *err);

/* Log lines go where the global options want them. */
void program_reset_log(const struct program *program);
