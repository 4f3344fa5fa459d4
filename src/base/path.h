/*
 * path: opening names that come from others.
 *
 * A path from an image, an archive, a JSON file or a container is never handed
 * to plain open(2): it is resolved beneath a root folder, with symlinks taken
 * as that root would take them, and can't leave it (openat2(2),
 * RESOLVE_IN_ROOT; Linux 5.6).
 */
#pragma once

#include <sys/types.h>

struct error;

/*
 * Opens `path` as a task whose root folder is `rootfd` would see it; absolute
 * and relative mean the same. Magic links (/proc/PID/fd/N) are refused.
 * Returns the descriptor (O_CLOEXEC is added), or -errno.
 */
int path_open_in_root(int rootfd, const char *path, int flags, mode_t mode, struct error *err);

/* The same, and no symlink at all may be met on the way. */
int path_open_beneath(int rootfd, const char *path, int flags, mode_t mode, struct error *err);

/*
 * The same, with symlinks followed as long as they stay beneath: an absolute
 * one, or one that leads out even for a moment, is -EXDEV.
 */
int path_open_within(int rootfd, const char *path, int flags, mode_t mode, struct error *err);

/* mkdir -p beneath a root; a symlink to nothing gets its target made. Returns an O_PATH descriptor
 * of the last folder, or -errno. */
int path_make_dirs_in_root(int rootfd, const char *path, mode_t mode, struct error *err);
