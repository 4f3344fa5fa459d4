/*
 * mount-restore: the tree's own mount namespaces.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "img/pb/mnt.pb-c.h"
#include "trace/tape.h"

struct error;
struct restore;
struct rtask;

/* R's tape: from a copy of M's mounts to the tree's own. Nothing if it has none. */
int mounts_tape(struct restore *r, struct error *err);

/* A task's tape: into its mount namespace, unless that is the root task's. */
void mounts_tape_enter(struct restore *r, struct rtask *t);

/*
 * Where R finds `path` of that mount: *ret_path below the folder *ret_dir. Images of a
 * tree without mounts of its own have no use for the number.
 */
int mount_place(struct restore *r, bool has_id, int32_t mnt_id, const char *path,
		struct tape_arg *ret_dir, const char **ret_path, struct error *err);

/* The same file as M can look at it, before the tree is there. */
struct mount_view {
	int fd; /* borrowed; `path` is below it */
	const char *mountpoint;
	char path[4096];
};

/* False: M can't, the file system is still to be made; or the images have no mounts. */
bool mount_peek(const struct restore *r, bool has_id, int32_t mnt_id, const char *path,
		struct mount_view *ret);

/* A tmpfs with its content, made by M, not attached anywhere yet; returns its staging
 * number. (tmpfs-restore.c) */
int tmpfs_make(struct restore *r, const MntEntry *mount, struct error *err);

/* The image with its files, opened; and its files into a mount of it. */
int tmpfs_archive(const struct restore *r, const MntEntry *m, struct error *err);
int tmpfs_unpack(int archive, int mount, struct error *err);

/* Splits a mount's option string in place: the next "key[=value]", or NULL. */
char *mount_next_option(char **rest, char **ret_value);
