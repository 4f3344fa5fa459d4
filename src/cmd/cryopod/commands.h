/*
 * commands: every command of cryopod, one file each (its name with dashes).
 */
#pragma once

struct command;

extern const struct command command_image_exists;
extern const struct command command_import;
extern const struct command command_version;
