/*
 * userns: a tree in a user namespace of its own.
 *
 * All ids in the images are those that the tree sees. A tree without such a
 * namespace sees ours: then nothing here changes anything.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "img/pb/creds.pb-c.h"

struct dump;
struct error;
struct restore;
struct rmount;

/* ---- userns-dump.c ---- */

/* Before the freeze: the namespace's id maps. */
int userns_collect(struct dump *dump, struct error *err);
int userns_write(struct dump *dump, struct error *err);

/* One of our ids as the tree sees it; the overflow id if it has no number there. */
uint32_t userns_uid(const struct dump *dump, uid_t uid);
uint32_t userns_gid(const struct dump *dump, gid_t gid);

/* Changes a thread's ids to those that the tree sees; refuses any it can't be given again. */
int userns_creds(const struct dump *dump, pid_t host_tid, CredsEntry *creds, struct error *err);
/* The ids in a file system's mount options ("mode=620,gid=100005"), changed in place or copied. */
int userns_mount_options(struct dump *dump, char **options, struct error *err);

/* ---- userns-restore.c ---- */

int userns_load(struct restore *r, struct error *err);
/* The ids with which R makes things. */
uid_t userns_own_uid(const struct restore *r);
gid_t userns_own_gid(const struct restore *r);

/* M: R was born into the new namespace, and waits; it gets its ids. */
int userns_map(struct restore *r, struct error *err);
/* R's tape, next: it becomes who it is there. */
void userns_tape_become(struct restore *r);

/* R's tape: a tmpfs it made is filled, by M. */
int userns_tape_fill(struct restore *r, const struct rmount *mount, struct error *err);
/* M, when R goes on: fills them. */
int userns_fill(struct restore *r, struct error *err);
