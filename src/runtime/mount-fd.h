/*
 * mount-fd: mounts as descriptors, made first and attached when complete.
 *
 * Nothing here goes through a path that the container could bend: a target is
 * a descriptor that path_open_in_root() gave.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct error;

/* A new, unattached mount of a file system. `data` is "size=64k,mode=755" or NULL. */
int mount_fd_new(const char *type, const char *source, const char *data, uint64_t attrs,
		 struct error *err);

/* An unattached copy of the mount at a path (or at dirfd itself with ""). */
int mount_fd_copy(int dirfd, const char *path, bool recursive, struct error *err);

/* MOUNT_ATTR_... to set and clear, MS_... propagation (0: as it is). */
int mount_fd_change(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
		    struct error *err);

int mount_fd_attach(int fd, int target, struct error *err);

/* MS_NOSUID -> MOUNT_ATTR_NOSUID and so on. */
uint64_t mount_fd_attrs(unsigned long ms_flags);
