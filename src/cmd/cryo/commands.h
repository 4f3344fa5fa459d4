/*
 * commands: every command of cryo, one file each.
 *
 * To add one: a file with its `struct command`, a line here, a line in the
 * list in main.c, the file in meson.build.
 */
#pragma once

struct command;

extern const struct command command_check;
extern const struct command command_dump;
extern const struct command command_help;
extern const struct command command_pre_dump;
extern const struct command command_restore;
extern const struct command command_show;
extern const struct command command_verify;
