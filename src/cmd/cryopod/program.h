/*
 * program: what every cryopod command is given: the global options.
 *
 * A command's function receives the words behind its name, options included,
 * and begins with
 *
 *	struct run_options o = { 0 };
 *	int r = program_options(program, cmd, &o, &argc, argv);
 *
 *	if (r != PROGRAM_GO_ON)
 *		return r;
 *
 * It ends with an exit code: its own, or what program_fail() returns.
 */
#pragma once

#include "base/opts.h"

struct error;

/* Podman's exit codes: the container's own code is used wherever there is one. */
#define EXIT_ENGINE 125	       /* we failed */
#define EXIT_CANNOT_INVOKE 126 /* the container's command can't be executed */
#define EXIT_NOT_FOUND 127     /* the container's command does not exist */

#define PROGRAM_GO_ON (-1)

struct program {
	const char *group;	    /* "container", "image", or NULL: the words typed before */
	const char *root;	    /* what lasts */
	const char *runroot;	    /* what ends with the boot */
	const char *tmpdir;	    /* NULL: below runroot */
	const char *runtime;	    /* name or path as typed; NULL: cryorun */
	struct strv runtime_flags;  /* without their leading dashes, as Podman takes them */
	const char *conmon;	    /* NULL: from PATH */
	const char *cgroup_manager; /* "cgroupfs" */
	const char *storage_driver; /* "overlay" */
	struct strv storage_opts;
	const char *events_backend; /* "file" or "none" */
	const char *network_dir;
	const char *log_level;
	char *const *argv; /* the whole command line, as typed */
};

/*
 * Reads a command's options. PROGRAM_GO_ON: argv[0..*argc) are the plain
 * arguments now. Anything else is the exit code: help was printed, or the
 * error was told.
 */
int program_options(const struct program *program, const struct command *cmd, void *values,
		    int *argc, char **argv);

/* Prints the error as Podman does (a hint becomes a second line) and returns EXIT_ENGINE. */
int program_fail(const struct error *err);

/* A mistake in the command line: the error, and where the help is. */
int program_misuse(const struct program *program, const struct command *cmd,
		   const struct error *err);

/* Writes out what standard output still holds: 0, or EXIT_ENGINE when that failed. */
int program_finish(void);
