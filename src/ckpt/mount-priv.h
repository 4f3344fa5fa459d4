/*
 * mount-priv: what the files that rebuild mounts share.
 *
 * All mounts of all namespaces are made in one go by R, which goes from one
 * namespace to the other. A mount is first made without a place, then attached.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ckpt/external.h"
#include "img/pb/mnt.pb-c.h"

struct error;
struct restore;
struct tape;
struct rmount;

/* A mount namespace of the tree. */
struct rmount_ns {
	uint32_t id;
	struct rmount *root;
	int fd; /* staging number; -1: there is only this one, R is in it */
};

struct rmount {
	MntEntry *entry;
	struct rmount_ns *ns;
	struct rmount *parent; /* NULL: root of its namespace */
	bool given;	       /* a copy of something outside */
	bool by_us;	       /* fd is open in M, too */
	bool attached;
	bool slave;			   /* has its master, or needs none */
	bool done;			   /* its propagation is that of the images */
	const struct rmount *deleted_from; /* shows a part of it that must go again */
	bool deleted_file;
	int fd; /* staging number; -1: not made yet */
};

struct rmounts {
	struct externals externals;
	struct rmount *v;
	size_t n;
	struct rmount_ns *ns; /* the root task's first */
	size_t n_ns;
	struct rmount_ns *now; /* where R is at this point of its tape */
};

/* mount-load-restore.c */
int mounts_load(struct restore *r, struct error *err);

/* The part of `path` below `base`, without a slash in front; NULL if it is not below. */
const char *mount_below(const char *path, const char *base);

/* mount-make-restore.c: gives m->fd its meaning, if m is the first of its file system. */
int mount_make(struct restore *r, struct rmount *m, struct error *err);
/* All that show a part of what m shows, and are not made yet; m was just attached. */
int mount_make_binds(struct restore *r, const struct rmount *m, struct error *err);
/* All are attached: a mount whose folder is gone could not be. */
void mounts_tape_delete(struct restore *r);

/* mount-restore.c: R's tape goes to that namespace. */
void mount_tape_go(struct restore *r, struct rmount_ns *ns);

/* mount-share-restore.c: all are attached, and private; now they get their propagation. */
int mounts_tape_share(struct restore *r, struct error *err);
