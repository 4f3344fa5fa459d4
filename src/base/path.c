#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

static int open_resolved(int rootfd, const char *path, int flags, mode_t mode, uint64_t resolve,
			 struct error *err)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.mode = (flags & (O_CREAT | __O_TMPFILE)) ? mode : 0,
		.resolve = resolve,
	};
	long fd;

	do { /* a rename elsewhere in the tree can make the kernel ask for another try */
		fd = syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof(how));
	} while (fd < 0 && errno == EAGAIN);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return (int)fd;
}

int path_open_in_root(int rootfd, const char *path, int flags, mode_t mode, struct error *err)
{
	return open_resolved(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
			     err);
}

int path_open_beneath(int rootfd, const char *path, int flags, mode_t mode, struct error *err)
{
	return open_resolved(rootfd, path, flags, mode,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, err);
}

int path_open_within(int rootfd, const char *path, int flags, mode_t mode, struct error *err)
{
	return open_resolved(rootfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
			     err);
}

#define LINKS_MAX 40 /* as many as the kernel follows */

/*
 * What `part` of a path is a symlink to nothing: the whole path again, with the
 * link's target in its place. The caller's.
 */
static int follow_dangling(int dir, const char *name, const char *part, const char *rest,
			   char **ret, struct error *err)
{
	char target[PATH_MAX];
	const char *slash = strrchr(part, '/');
	const int above = slash ? (int)(slash - part) : 0;
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, "make folder '%s'", part);
	target[n] = '\0';
	if (asprintf(ret, "%.*s/%s%s", target[0] == '/' ? 0 : above, part, target, rest) < 0) {
		*ret = NULL;
		return err_oom(err);
	}
	return 0;
}

static int make_dirs(int rootfd, const char *path, mode_t mode, int links, struct error *err)
{
	cleanup_fd int dir = -EBADF;
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return err_set(err, -ENAMETOOLONG, "make folder '%s': name too long", path);
	for (size_t i = 1; i <= len; i++) {
		int next;

		if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		next = path_open_in_root(rootfd, part, O_PATH | O_DIRECTORY, 0, err);
		if (next == -ENOENT) {
			const char *slash = strrchr(part, '/');
			const char *name = slash ? slash + 1 : part;
			/* the folder above was opened in the round before, or is the root */
			const int above = dir >= 0 ? dir : rootfd;

			if (mkdirat(above, name, mode) < 0 && errno != EEXIST)
				return err_sys(err, "make folder '%s'", part);
			next = path_open_in_root(rootfd, part, O_PATH | O_DIRECTORY, 0, err);
			if (next == -ENOENT) {
				cleanup_free char *again = NULL;
				int r;

				if (links == 0)
					return err_set(err, -ELOOP, "make folder '%s': %s", part,
						       strerror(ELOOP));
				r = follow_dangling(above, name, part, path + i, &again, err);
				if (r < 0)
					return r;
				return make_dirs(rootfd, again, mode, links - 1, err);
			}
		}
		if (next < 0)
			return next;
		cleanup_fd_p(&dir);
		dir = next;
	}
	if (dir < 0)
		return path_open_in_root(rootfd, ".", O_PATH | O_DIRECTORY, 0, err);
	return take_fd(&dir);
}

int path_make_dirs_in_root(int rootfd, const char *path, mode_t mode, struct error *err)
{
	return make_dirs(rootfd, path, mode, LINKS_MAX, err);
}
