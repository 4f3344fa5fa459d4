/*
 * tmpfs: the files of a tmpfs of the tree, as a tar archive packed with gzip
 * (tmpfs-dev-N.tar.gz.img), which is what CRIU reads and writes with tar(1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dump;
struct error;

/* A file system whose archive was made before the freeze. */
struct tmpfs_ahead {
	struct tmpfs_ahead *next;
	uint32_t device;
	char *inodes; /* what it was made of */
	size_t len;
};

/* Before the freeze: makes the archive if it can be known in the freeze that it still holds. */
int tmpfs_pack_ahead(struct dump *dump, int root_fd, uint32_t device, const char *mountpoint,
		     struct error *err);

/* Frozen: the archive made before is of exactly these files. */
bool tmpfs_is_packed(const struct dump *dump, int root_fd, uint32_t device);

/* The archive itself, whenever. */
int tmpfs_pack(struct dump *dump, int root_fd, uint32_t device, const char *mountpoint,
	       struct error *err);

/* Frozen. `root_fd` is the file system's root, opened for reading; its position moves. */
int tmpfs_save(struct dump *dump, int root_fd, uint32_t device, const char *mountpoint,
	       struct error *err);

bool tmpfs_saved(const struct dump *dump, uint32_t device);
