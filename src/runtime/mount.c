#include "runtime/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/path.h"
#include "runtime/copy-up.h"
#include "runtime/mount-fd.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

bool mount_may_cover_proc(const char *destination)
{
	static const char *const fine[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/uptime",
		"/proc/loadavg",
		"/proc/slabinfo",
		"/proc/net/dev",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/sys/crypto/fips_enabled",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		if (strcmp(destination, fine[i]) == 0)
			return true;
	return false;
}

/* The target may not lie in a proc, unless it is the place of proc itself. */
static int check_target(int target, const struct spec_mount *m, struct error *err)
{
	struct statfs fs;

	if (fstatfs(target, &fs) < 0)
		return err_sys(err, "stat '%s'", m->destination);
	if (fs.f_type != PROC_SUPER_MAGIC || strcmp(m->type, "proc") == 0 ||
	    strcmp(m->destination, "/proc") == 0 || mount_may_cover_proc(m->destination))
		return 0;
	return err_set(err, -EPERM, "it lies inside proc, which must not be covered");
}

static int attach(const struct rootfs *rootfs, const struct spec_mount *m, int fd, bool folder,
		  struct error *err)
{
	cleanup_fd int target = rootfs_target(rootfs->fd, m->destination, folder, err);
	const struct mount_options *o = &m->options;
	int r;

	if (target < 0)
		return target;
	r = check_target(target, m, err);
	if (r >= 0)
		r = mount_fd_change(fd, o->attr_set, o->attr_clear, 0, true, err);
	if (r >= 0)
		r = mount_fd_change(fd, 0, 0, o->propagation & ~(unsigned long)MS_REC,
				    o->propagation & MS_REC, err);
	if (r >= 0)
		r = mount_fd_attach(fd, target, err);
	return r;
}

static int apply_bind(const struct rootfs *rootfs, const struct spec_mount *m, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	char source[PATH_MAX];
	struct stat st;
	int r;

	r = snprintf(source, sizeof(source), "%s%s%s", m->source[0] == '/' ? "" : rootfs->bundle,
		     m->source[0] == '/' ? "" : "/", m->source);
	if (r < 0 || (size_t)r >= sizeof(source))
		return err_set(err, -ENAMETOOLONG, "'%s': name too long", m->source);
	fd = mount_fd_copy(AT_FDCWD, source, m->options.recursive_bind, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat '%s'", source);
	r = mount_fd_change(fd, mount_fd_attrs(m->options.flags), 0, 0, false, err);
	if (r < 0)
		return r;
	return attach(rootfs, m, fd, S_ISDIR(st.st_mode), err);
}

static bool has_mode(const char *data)
{
	return data && (strncmp(data, "mode=", 5) == 0 || strstr(data, ",mode="));
}

/* Without a mode of its own a tmpfs looks like the folder it covers, if the image has one. */
static int apply_tmpfs(const struct rootfs *rootfs, const struct spec_mount *m, struct error *err)
{
	const uint64_t attrs = mount_fd_attrs(m->options.flags);
	cleanup_fd int target = path_open_in_root(rootfs->fd, m->destination, O_PATH, 0, NULL);
	const bool covers = target >= 0;
	cleanup_fd int fd = -EBADF;
	struct stat st;
	int r;

	if (!covers)
		target = rootfs_target(rootfs->fd, m->destination, true, err);
	if (target < 0)
		return target;
	/* A folder made for it: like a tmpfs, so that the container's next start sees the same. */
	if (!covers && fchmodat(target, ".", 01777, 0) < 0)
		return err_sys(err, "set the mode of '%s'", m->destination);
	if (fstat(target, &st) < 0)
		return err_sys(err, "stat '%s'", m->destination);
	fd = mount_fd_new("tmpfs", m->source ? m->source : "tmpfs", m->options.data,
			  attrs & ~(uint64_t)MOUNT_ATTR_RDONLY, err);
	if (fd < 0)
		return fd;
	if (!has_mode(m->options.data) && fchmodat(fd, ".", st.st_mode & 07777, 0) < 0)
		return err_sys(err, "set the mode of '%s'", m->destination);
	if (m->options.copy_up) {
		r = copy_up(target, fd, err);
		if (r < 0)
			return err_wrap(err, r, "copy what it covers");
	}
	r = mount_fd_change(fd, attrs & MOUNT_ATTR_RDONLY, 0, 0, false, err);
	if (r < 0)
		return r;
	return attach(rootfs, m, fd, true, err);
}

static int apply_remount(const struct rootfs *rootfs, const struct spec_mount *m, struct error *err)
{
	cleanup_fd int target = rootfs_target(rootfs->fd, m->destination, true, err);

	if (target < 0)
		return target;
	return mount_fd_change(target, mount_fd_attrs(m->options.flags) | m->options.attr_set,
			       mount_fd_attrs(m->options.cleared) | m->options.attr_clear,
			       m->options.propagation & ~(unsigned long)MS_REC, false, err);
}

int mount_apply(const struct rootfs *rootfs, const struct spec_mount *m, struct error *err)
{
	cleanup_fd int fd = -EBADF;

	if (m->options.remount)
		return apply_remount(rootfs, m, err);
	if (m->options.bind)
		return apply_bind(rootfs, m, err);
	if (strcmp(m->type, "tmpfs") == 0)
		return apply_tmpfs(rootfs, m, err);
	if (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0)
		return mount_cgroups(rootfs, m, err);
	fd = mount_fd_new(m->type, m->source ? m->source : m->type, m->options.data,
			  mount_fd_attrs(m->options.flags), err);
	if (fd < 0)
		return fd;
	return attach(rootfs, m, fd, true, err);
}
