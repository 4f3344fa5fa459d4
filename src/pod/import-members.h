/*
 * import-members: what lies in the archive of a checkpoint, each to its place.
 *
 *	checkpoint/NAME              userdata/checkpoint/NAME
 *	ctr.log stats-dump network.status   userdata
 *	rootfs-diff.tar deleted.files       the upper folder of the root
 *	volumes/NAME.tar             a new volume, at the end
 *
 * Other members are passed over. No name of the archive is ever a path.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/strv.h"

struct archive_reader;
struct container;
struct error;
struct import_options;
struct pod;

struct import_members {
	const struct pod *pod;
	const struct container *c;
	const struct import_options *o;
	int userdata;
	int upper;
	int *lowers;
	size_t n_lowers;
	json_t *deleted;
	struct strv volumes; /* those of the container, to be filled */
	struct strv filled;  /* those that the archive has had */
	size_t n_placed;     /* so many of these are in their place */
	bool has_inventory;
};

#define IMPORT_MEMBERS_INIT                                                                        \
	{                                                                                          \
		.userdata = -EBADF, .upper = -EBADF                                                \
	}

/* Makes the copy-on-write root's folders. -EEXIST: a volume is there already. */
int import_members_begin(struct import_members *m, const struct pod *pod, const struct container *c,
			 const struct import_options *o, struct error *err);

int import_members_take(struct import_members *m, struct archive_reader *archive,
			struct error *err);

/* What was made outside of the container's folder until now comes to its place. -EEXIST: a volume
 * of that name was made meanwhile. */
int import_members_settle(struct import_members *m, struct error *err);

/* Removes what was made outside of the container's folder. */
void import_members_undo(struct import_members *m);

/* The same when the members are known no more: none of the container's volumes was there before. */
void import_members_remove(const struct pod *pod, const struct container *c);

void import_members_done(struct import_members *m);
