#include "runtime/mount-fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

uint64_t mount_fd_attrs(unsigned long ms_flags)
{
	static const struct {
		unsigned long ms;
		uint64_t attr;
	} map[] = {
		{ MS_RDONLY, MOUNT_ATTR_RDONLY },
		{ MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },
		{ MS_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MS_NOATIME, MOUNT_ATTR_NOATIME },
		{ MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
		{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
		{ MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
	};
	uint64_t attrs = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (ms_flags & map[i].ms)
			attrs |= map[i].attr;
	return attrs;
}

/* The context keeps the kernel's own words: "e tmpfs: Bad value for 'size'". */
static int configure_failed(int fs, const char *type, const char *word, struct error *err)
{
	int code = -errno;
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	errno = -code;
	if (n <= 2)
		return err_sys(err, "file system '%s': option '%s'", type, word);
	text[n] = '\0';
	return err_set(err, code, "file system '%s': option '%s': %s", type, word, text + 2);
}

static int configure(int fs, const char *type, const char *data, struct error *err)
{
	cleanup_free char *copy = strdup(data);
	char *rest = copy;
	char *word;

	if (!copy)
		return err_oom(err);
	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');
		int r;

		if (!*word)
			continue;
		if (value) {
			*value++ = '\0';
			r = fsconfig(fs, FSCONFIG_SET_STRING, word, value, 0);
		} else {
			r = fsconfig(fs, FSCONFIG_SET_FLAG, word, NULL, 0);
		}
		if (r < 0)
			return configure_failed(fs, type, word, err);
	}
	return 0;
}

int mount_fd_new(const char *type, const char *source, const char *data, uint64_t attrs,
		 struct error *err)
{
	cleanup_fd int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd;
	int r;

	if (fs < 0)
		return err_sys(err, "file system '%s'", type);
	if (source && *source && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return configure_failed(fs, type, "source", err);
	if (data) {
		r = configure(fs, type, data, err);
		if (r < 0)
			return r;
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make file system '%s'%s%s", type, data ? " with options " : "",
			       data ? data : "");
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	if (fd < 0)
		return err_sys(err, "mount file system '%s'", type);
	return fd;
}

int mount_fd_copy(int dirfd, const char *path, bool recursive, struct error *err)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	int fd;

	if (recursive)
		flags |= AT_RECURSIVE;
	if (*path == '\0')
		flags |= AT_EMPTY_PATH;
	fd = open_tree(dirfd, path, flags);
	if (fd < 0)
		return err_sys(err, "bind '%s'", path);
	return fd;
}

int mount_fd_change(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
		    struct error *err)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	if (set == 0 && clear == 0 && propagation == 0)
		return 0;
	if (set & (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME))
		attr.attr_clr |= MOUNT_ATTR__ATIME; /* one field: it must be emptied to be set */
	if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U), &attr,
			  sizeof(attr)) < 0)
		return err_sys(err, "change a mount's attributes");
	return 0;
}

int mount_fd_attach(int fd, int target, struct error *err)
{
	if (move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(err, "attach a mount");
	return 0;
}
