#include "runtime/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/mount-fd.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

static const struct spec_device defaults[] = {
	{ .type = 'c', .path = "/dev/null", .major = 1, .minor = 3, .mode = 0666 },
	{ .type = 'c', .path = "/dev/zero", .major = 1, .minor = 5, .mode = 0666 },
	{ .type = 'c', .path = "/dev/full", .major = 1, .minor = 7, .mode = 0666 },
	{ .type = 'c', .path = "/dev/random", .major = 1, .minor = 8, .mode = 0666 },
	{ .type = 'c', .path = "/dev/urandom", .major = 1, .minor = 9, .mode = 0666 },
	{ .type = 'c', .path = "/dev/tty", .major = 5, .minor = 0, .mode = 0666 },
};

static const struct {
	const char *target;
	const char *path;
} links[] = {
	{ "/proc/self/fd", "/dev/fd" },	      { "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
	{ "pts/ptmx", "/dev/ptmx" },
};

/* Where nodes can't be made (user namespaces) the host's own is bound. */
static int bind_node(const struct rootfs *rootfs, const struct spec_device *dev, struct error *err)
{
	cleanup_fd int target = rootfs_target(rootfs->fd, dev->path, false, err);
	cleanup_fd int copy = -EBADF;

	if (target < 0)
		return target;
	copy = mount_fd_copy(AT_FDCWD, dev->path, false, err);
	if (copy < 0)
		return copy;
	return mount_fd_attach(copy, target, err);
}

/* An old node of the same kind stays: the image may have brought it. */
static int check_existing(int parent, const char *name, const struct spec_device *dev, mode_t kind,
			  struct error *err)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat device '%s'", dev->path);
	if ((st.st_mode & S_IFMT) != kind ||
	    (kind != S_IFIFO && st.st_rdev != makedev(dev->major, dev->minor)))
		return err_set(err, -EEXIST, "device '%s': something else is there", dev->path);
	return 0;
}

static int make_node(const struct rootfs *rootfs, const struct spec_device *dev, struct error *err)
{
	const mode_t kind = dev->type == 'b' ? S_IFBLK : dev->type == 'p' ? S_IFIFO : S_IFCHR;
	const char *name = NULL;
	cleanup_fd int parent = -EBADF;

	if (spec_wants_ns(rootfs->spec, NS_KIND_USER))
		return bind_node(rootfs, dev, err);
	parent = rootfs_parent(rootfs->fd, dev->path, &name, err);
	if (parent < 0)
		return parent;
	if (mknodat(parent, name, kind | dev->mode, makedev(dev->major, dev->minor)) < 0) {
		if (errno == EEXIST)
			return check_existing(parent, name, dev, kind, err);
		if (errno == EPERM)
			return bind_node(rootfs, dev, err);
		return err_sys(err, "make device '%s'", dev->path);
	}
	if ((dev->uid || dev->gid) &&
	    fchownat(parent, name, dev->uid, dev->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the owner of device '%s'", dev->path);
	return 0;
}

static int make_link(const struct rootfs *rootfs, const char *target, const char *path,
		     struct error *err)
{
	const char *name = NULL;
	cleanup_fd int parent = rootfs_parent(rootfs->fd, path, &name, err);

	if (parent < 0)
		return parent;
	if (symlinkat(target, parent, name) < 0 && errno != EEXIST)
		return err_sys(err, "link '%s' to '%s'", path, target);
	return 0;
}

static bool is_overridden(const struct spec_linux *lx, const char *path)
{
	for (size_t i = 0; i < lx->n_devices; i++)
		if (strcmp(lx->devices[i].path, path) == 0)
			return true;
	return false;
}

int device_make_all(const struct rootfs *rootfs, struct error *err)
{
	const struct spec_linux *lx = &rootfs->spec->lx;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(defaults); i++)
		if (!is_overridden(lx, defaults[i].path))
			r = make_node(rootfs, &defaults[i], err);
	for (size_t i = 0; r >= 0 && i < lx->n_devices; i++)
		/* The pty's master node is the container's own, whatever was asked. */
		if (strcmp(lx->devices[i].path, "/dev/ptmx") != 0)
			r = make_node(rootfs, &lx->devices[i], err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(links); i++)
		r = make_link(rootfs, links[i].target, links[i].path, err);
	if (r >= 0 && access("/proc/kcore", F_OK) == 0)
		r = make_link(rootfs, "/proc/kcore", "/dev/core", err);
	return r;
}
