/*
 * tmpfs: the files of a tmpfs of the tree, as a tar archive packed with gzip
 * (tmpfs-dev-N.tar.gz.img), which is what CRIU reads and writes with tar(1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;
struct error;

/* `root_fd` is the file system's root, opened for reading; its position moves. */
int tmpfs_save(struct dump *dump, int root_fd, uint32_t device, const char *mountpoint,
	       struct error *err);

bool tmpfs_saved(const struct dump *dump, uint32_t device);
