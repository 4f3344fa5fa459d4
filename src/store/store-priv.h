/*
 * store-priv: the store as its own room sees it.
 */
#pragma once

#include <stdbool.h>

#include "base/lock.h"
#include "store/store.h"

struct index;

struct store {
	char *root;
	int root_fd;
	int images_fd; /* ROOT/images */
	int blobs_fd;  /* ROOT/images/blobs/sha256 */
	int layers_fd; /* ROOT/layers */
	int tmp_fd;    /* ROOT/images/tmp */
};

/* Exclusively: for changing the index, and what hangs on it. Never held for long. */
int store_lock(struct store *store, struct lock *ret_lock, struct error *err);

/*
 * A folder for work under way, below ROOT/images/tmp, with a lock that shows
 * that its maker lives.
 */
struct work {
	struct store *store; /* borrowed */
	char name[16];
	char *path; /* absolute */
	int fd;
	struct lock lock;
};

#define WORK_INIT                                                                                  \
	{                                                                                          \
		.fd = -EBADF, .lock = LOCK_INIT                                                    \
	}

int work_begin(struct store *store, struct work *ret_work, struct error *err);

/*
 * Takes what no entry of the index needs, and what the dead left, into the
 * work folder, whose end removes it when the lock is gone. The caller holds the
 * store exclusively. A manifest that can't be read ends it before anything is
 * taken.
 */
int store_collect(struct work *work, const struct index *index, struct error *err);

/* Removes the folder and what is in it. */
void work_end(struct work *work);

#define cleanup_work __attribute__((cleanup(work_end)))
