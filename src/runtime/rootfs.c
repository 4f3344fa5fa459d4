#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/mountinfo.h"
#include "base/path.h"
#include "runtime/device.h"
#include "runtime/mount-fd.h"
#include "runtime/mount.h"
#include "runtime/spec.h"

/* --- places ------------------------------------------------------------------ */

int rootfs_parent(int root, const char *path, const char **ret_name, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (**ret_name == '\0' || strcmp(*ret_name, "..") == 0)
		return err_set(err, -EINVAL, "'%s' names no file", path);
	if (len >= sizeof(folder))
		return err_set(err, -ENAMETOOLONG, "'%s': name too long", path);
	memcpy(folder, path, len);
	folder[len] = '\0';
	return path_make_dirs_in_root(root, folder, 0755, err);
}

static int make_file(int root, const char *path, struct error *err)
{
	const char *name = NULL;
	cleanup_fd int parent = rootfs_parent(root, path, &name, err);
	cleanup_fd int fd = -EBADF;

	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno != EEXIST)
		return err_sys(err, "make file '%s' in the root file system", path);
	return 0;
}

int rootfs_target(int root, const char *destination, bool folder, struct error *err)
{
	int fd;
	int r;

	fd = path_open_in_root(root, destination, O_PATH, 0, err);
	if (fd != -ENOENT)
		return fd;
	if (folder)
		return path_make_dirs_in_root(root, destination, 0755, err);
	r = make_file(root, destination, err);
	if (r < 0)
		return r;
	return path_open_in_root(root, destination, O_PATH, 0, err);
}

/* --- begin ------------------------------------------------------------------- */

/* pivot_root(2) wants the mount that holds the new root not to be shared. */
static int make_parent_private(const char *path, struct error *err)
{
	cleanup_mountinfo struct mountinfo_table mounts = MOUNTINFO_TABLE_INIT;
	const struct mountinfo *holder = NULL;
	size_t best = 0;
	int r;

	r = mountinfo_read_at(AT_FDCWD, "/proc/self/mountinfo", &mounts, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < mounts.n; i++) {
		const char *point = mounts.mounts[i].mountpoint;
		size_t len = strlen(point);

		if (len == 1)
			len = 0; /* "/" is above everything */
		if (strncmp(point, path, len) == 0 && (path[len] == '/' || path[len] == '\0') &&
		    len >= best) {
			best = len;
			holder = &mounts.mounts[i];
		}
	}
	if (holder && holder->shared && mount(NULL, holder->mountpoint, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make mount '%s' private", holder->mountpoint);
	return 0;
}

int rootfs_open(struct rootfs *rootfs, struct error *err)
{
	const unsigned long wanted = rootfs->spec->lx.rootfs_propagation;
	cleanup_fd int place = -EBADF;
	cleanup_fd int tree = -EBADF;
	int r;

	/* Unbindable and private would hide the sources of bind mounts' later changes: slave does
	 * too little harm to be a choice of config.json here, except where sharing is wanted. */
	if (mount(NULL, "/", NULL, MS_REC | (wanted & MS_SHARED ? MS_SHARED : MS_SLAVE), NULL) < 0)
		return err_sys(err, "set the propagation of '/'");
	if (wanted & MS_SHARED) {
		r = make_parent_private(rootfs->path, err);
		if (r < 0)
			return r;
	}
	tree = mount_fd_copy(AT_FDCWD, rootfs->path, true, err);
	if (tree < 0)
		return err_wrap(err, tree, "root file system");
	place = open(rootfs->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place < 0)
		return err_sys(err, "open root file system '%s'", rootfs->path);
	r = mount_fd_attach(tree, place, err);
	if (r < 0)
		return err_wrap(err, r, "root file system '%s'", rootfs->path);
	rootfs->fd = take_fd(&tree);
	return 0;
}

/* Takes back the read-only wish of /dev until its nodes are made. */
static bool is_writable_first(const struct spec_mount *m)
{
	return strcmp(m->destination, "/dev") == 0 && (m->options.flags & MS_RDONLY) &&
	       !m->options.bind;
}

static int seal_dev(const struct rootfs *rootfs, struct error *err)
{
	cleanup_fd int dev = path_open_in_root(rootfs->fd, "/dev", O_PATH | O_DIRECTORY, 0, err);

	if (dev < 0)
		return dev;
	return mount_fd_change(dev, MOUNT_ATTR_RDONLY, 0, 0, false, err);
}

int rootfs_mount(const struct rootfs *rootfs, struct error *err)
{
	bool own_dev = true;
	bool dev_read_only = false;
	bool ready = false;
	int r;

	for (size_t i = 0; i < rootfs->spec->n_mounts; i++) {
		struct spec_mount m = rootfs->spec->mounts[i];

		if (!ready && strncmp(m.type, "cgroup", 6) == 0) {
			ready = true;
			r = rootfs->groups_ready(rootfs->arg, err);
			if (r < 0)
				return r;
		}

		if (strcmp(m.destination, "/dev") == 0 && m.options.bind)
			own_dev = false;
		if (is_writable_first(&m)) {
			m.options.flags &= ~(unsigned long)MS_RDONLY;
			dev_read_only = true;
		}
		r = mount_apply(rootfs, &m, err);
		if (r < 0)
			return err_wrap(err, r, "mount '%s' (%s)", m.destination, m.type);
	}
	r = own_dev ? device_make_all(rootfs, err) : 0;
	if (r >= 0 && dev_read_only)
		r = seal_dev(rootfs, err);
	if (r >= 0 && !ready)
		r = rootfs->groups_ready(rootfs->arg, err);
	return r;
}

/* --- change of root ------------------------------------------------------------ */

static int pivot(int root, struct error *err)
{
	cleanup_fd int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (old < 0)
		return err_sys(err, "open '/'");
	if (fchdir(root) < 0)
		return err_sys(err, "enter the root file system");
	/* Both names the same: the old root ends up on top of the new one, see pivot_root(2). */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(err, "change the root");
	if (fchdir(old) < 0)
		return err_sys(err, "enter the old root");
	if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(err, "keep the old root's mounts on the host");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "unmount the old root");
	return 0;
}

static int move_root(int root, struct error *err)
{
	if (fchdir(root) < 0)
		return err_sys(err, "enter the root file system");
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(err, "move the root file system to '/'");
	if (chroot(".") < 0)
		return err_sys(err, "change the root");
	return 0;
}

int rootfs_enter(const struct rootfs *rootfs, bool no_pivot, struct error *err)
{
	const unsigned long wanted = rootfs->spec->lx.rootfs_propagation;
	int r = no_pivot ? move_root(rootfs->fd, err) : pivot(rootfs->fd, err);

	if (r < 0)
		return r;
	if (chdir("/") < 0)
		return err_sys(err, "enter '/'");
	if (wanted && mount(NULL, "/", NULL, wanted, NULL) < 0)
		return err_sys(err, "set the propagation of the root file system");
	return 0;
}

/* --- protection ---------------------------------------------------------------- */

static int mask(int root, const char *path, struct error *err)
{
	cleanup_fd int target = path_open_in_root(root, path, O_PATH, 0, err);
	cleanup_fd int cover = -EBADF;
	struct stat st;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	if (fstat(target, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	cover = S_ISDIR(st.st_mode)
			? mount_fd_new("tmpfs", "tmpfs", "size=0k", MOUNT_ATTR_RDONLY, err)
			: mount_fd_copy(AT_FDCWD, "/dev/null", false, err);
	if (cover < 0)
		return cover;
	return mount_fd_attach(cover, target, err);
}

static int make_read_only(int root, const char *path, struct error *err)
{
	cleanup_fd int target = path_open_in_root(root, path, O_PATH, 0, err);
	cleanup_fd int copy = -EBADF;
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	copy = mount_fd_copy(target, "", true, err);
	if (copy < 0)
		return copy;
	r = mount_fd_change(copy, MOUNT_ATTR_RDONLY, 0, 0, false, err);
	if (r < 0)
		return r;
	return mount_fd_attach(copy, target, err);
}

int rootfs_protect(const struct rootfs *rootfs, struct error *err)
{
	const struct spec_linux *lx = &rootfs->spec->lx;
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (root < 0)
		return err_sys(err, "open '/'");
	for (char **p = lx->readonly_paths; p && *p; p++) {
		r = make_read_only(root, *p, err);
		if (r < 0)
			return err_wrap(err, r, "make '%s' read-only", *p);
	}
	for (char **p = lx->masked_paths; p && *p; p++) {
		r = mask(root, *p, err);
		if (r < 0)
			return err_wrap(err, r, "mask '%s'", *p);
	}
	if (rootfs->spec->root_readonly) {
		r = mount_fd_change(root, MOUNT_ATTR_RDONLY, 0, 0, false, err);
		if (r < 0)
			return err_wrap(err, r, "make the root file system read-only");
	}
	return 0;
}
