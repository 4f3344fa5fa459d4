/*
 * engine-log: dump.log and restore.log, where users of CRIU look for them.
 */
#pragma once

struct checkpoint_opts;
struct error;
struct program;

/* From now on log lines, all levels, go to that file in the work folder, if it can be made. */
void engine_log_begin(struct program *program, const struct checkpoint_opts *opts,
		      const char *name);

/* Writes the failure, if there is one, and gives the log back to the program. */
void engine_log_end(struct program *program, int result, const struct error *err);
