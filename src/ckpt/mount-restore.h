/*
 * mount-restore: the mounts of the tree's own mount namespace.
 */
#pragma once

#include <stdint.h>

#include "img/pb/mnt.pb-c.h"

struct error;
struct restore;
struct tape;

/* R's tape: from a copy of M's mounts to the tree's own. Nothing if it has none. */
int mounts_tape(struct restore *r, struct tape *tape, struct error *err);

/* A tmpfs with its content, made by M, not attached anywhere yet; returns its staging
 * number. (tmpfs-restore.c) */
int tmpfs_make(struct restore *r, const MntEntry *mount, struct error *err);

/* Splits a mount's option string in place: the next "key[=value]", or NULL. */
char *mount_next_option(char **rest, char **ret_value);
