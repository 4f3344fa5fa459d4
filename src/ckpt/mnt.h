/*
 * mnt: the mount namespaces of the tree.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mountinfo.h"

struct dump;
struct error;

/* One of them, as a task sees it whose root folder is the namespace's. */
struct mnt_ns {
	uint32_t id; /* in the images */
	pid_t host_pid;
	int root_fd; /* O_PATH */
	struct mountinfo_table table;
};

/* dev_t as the images have it: 12 bits of major, 20 of minor. */
static inline uint32_t mnt_device(const struct mountinfo *mount)
{
	return mount->dev_major << 20 | mount->dev_minor;
}

/* Before the freeze: what can be done then. */
int mnt_prepare(struct dump *dump, struct error *err);
/* Reads the tables and opens the roots; frozen. */
int mnt_collect(struct dump *dump, struct error *err);
/* mnt-write-dump.c. Nothing to write unless the tree has a mount namespace of its own. */
int mnt_write(struct dump *dump, struct error *err);
void mnt_done(struct dump *dump);

/* The mount with that id, and whose it is (may be NULL). NULL: it is none of the tree's. */
const struct mountinfo *mnt_find(const struct dump *dump, int mnt_id, const struct mnt_ns **ret_ns);

const struct mountinfo *mnt_parent(const struct mnt_ns *ns, const struct mountinfo *mount);
/* The one that all others hang on. */
bool mnt_is_root(const struct mnt_ns *ns, const struct mountinfo *mount);

/* mnt-write-dump.c: the file system is whole in the tree, and its files travel in the images. */
bool mnt_has_files(const struct dump *dump, const struct mnt_ns *ns, const struct mountinfo *mount);

/* The file system's own root folder, to be listed: without what is mounted on it. Borrowed. */
int mnt_open(struct dump *dump, const struct mnt_ns *ns, const struct mountinfo *mount, int *ret_fd,
	     struct error *err);

/* mnt-bare-dump.c: a copy of the mount that nothing is mounted on, wherever it is hidden. */
int mnt_open_bare(struct dump *dump, const struct mnt_ns *ns, const struct mountinfo *mount,
		  struct error *err);
