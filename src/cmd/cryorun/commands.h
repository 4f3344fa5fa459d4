/*
 * commands: the tables of all subcommands, one file each.
 */
#pragma once

#include "base/opts.h"

extern const struct command command_checkpoint;
extern const struct command command_create;
extern const struct command command_delete;
extern const struct command command_events;
extern const struct command command_exec;
extern const struct command command_features;
extern const struct command command_kill;
extern const struct command command_list;
extern const struct command command_pause;
extern const struct command command_ps;
extern const struct command command_restore;
extern const struct command command_resume;
extern const struct command command_run;
extern const struct command command_spec;
extern const struct command command_start;
extern const struct command command_state;
extern const struct command command_update;
