/*
 * rootfs: a container's file system, from the folder on the host to "/".
 *
 * All calls are made by the container's first process, in its new mount
 * namespace, in this order:
 *	rootfs_open      the folder is a mount of its own, propagation is set
 *	rootfs_mount     config.json's mounts, devices and links below it
 *	rootfs_enter     it is "/", the host's is out of reach
 *	rootfs_protect   masked and read-only paths, read-only root
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct cgroup;
struct error;
struct spec;

struct rootfs {
	const struct spec *spec; /* borrowed */
	const struct cgroup *cgroup;
	const char *bundle; /* absolute; relative sources start here */
	const char *path;   /* absolute */
	/* Waits until we're in our groups. Called once by rootfs_mount(): before the first mount
	 * that shows them, or at the end. */
	int (*groups_ready)(void *arg, struct error *err);
	void *arg;
	int fd;
};

int rootfs_open(struct rootfs *rootfs, struct error *err);
int rootfs_mount(const struct rootfs *rootfs, struct error *err);
int rootfs_enter(const struct rootfs *rootfs, bool no_pivot, struct error *err);
int rootfs_protect(const struct rootfs *rootfs, struct error *err);

/*
 * Opens the place for a mount or device (O_PATH), making what is missing: a folder, or an empty
 * file.
 */
int rootfs_target(int root, const char *destination, bool folder, struct error *err);

/* The folder that holds `path`, made if absent; *ret_name is the last part of path. */
int rootfs_parent(int root, const char *path, const char **ret_name, struct error *err);
