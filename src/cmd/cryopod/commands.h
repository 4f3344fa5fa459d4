/*
 * commands: every command of cryopod, one file each (its name with dashes).
 */
#pragma once

struct command;

extern const struct command command_attach;
extern const struct command command_checkpoint;
extern const struct command command_cleanup;
extern const struct command command_container_exists;
extern const struct command command_create;
extern const struct command command_diff;
extern const struct command command_exec;
extern const struct command command_image_exists;
extern const struct command command_images;
extern const struct command command_import;
extern const struct command command_info;
extern const struct command command_init;
extern const struct command command_inspect;
extern const struct command command_kill;
extern const struct command command_load;
extern const struct command command_logs;
extern const struct command command_mount;
extern const struct command command_pause;
extern const struct command command_ps;
extern const struct command command_pull;
extern const struct command command_rename;
extern const struct command command_restart;
extern const struct command command_restore;
extern const struct command command_rm;
extern const struct command command_rmi;
extern const struct command command_run;
extern const struct command command_save;
extern const struct command command_start;
extern const struct command command_stop;
extern const struct command command_tag;
extern const struct command command_top;
extern const struct command command_unmount;
extern const struct command command_unpause;
extern const struct command command_untag;
extern const struct command command_version;
extern const struct command command_wait;
