#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/path.h"
#include "runtime/cgroup.h"
#include "runtime/mount-fd.h"
#include "runtime/mount.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

/* The hierarchy as the container may see it: from its own group down. */
static int open_view(const struct rootfs *rootfs, const struct cgroup_part *part, uint64_t attrs,
		     struct error *err)
{
	char path[PATH_MAX];
	int fd;
	int n;
	int r;

	if (spec_wants_ns(rootfs->spec, NS_KIND_CGROUP)) {
		/* Seen from a cgroup namespace the mount begins at its root. */
		fd = mount_fd_new(part->v2 ? "cgroup2" : "cgroup", "cgroup",
				  part->v2 ? NULL : part->controllers, attrs, err);
		if (fd >= 0 || (fd != -EPERM && fd != -EBUSY))
			return fd;
	}
	n = snprintf(path, sizeof(path), "%s%s", part->mountpoint, rootfs->cgroup->path);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "'%s': name too long", rootfs->cgroup->path);
	fd = mount_fd_copy(AT_FDCWD, path, true, err);
	if (fd < 0)
		return fd;
	r = mount_fd_change(fd, attrs, 0, 0, true, err);
	if (r < 0) {
		(void)close(fd); /* nothing was attached */
		return r;
	}
	return fd;
}

static int mount_v1_part(const struct rootfs *rootfs, const struct cgroup_part *part, int folder,
			 uint64_t attrs, struct error *err)
{
	const char *name = strrchr(part->mountpoint, '/') + 1;
	cleanup_fd int view = open_view(rootfs, part, attrs, err);
	cleanup_fd int target = -EBADF;

	if (view < 0)
		return view;
	if (mkdirat(folder, name, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make folder '%s'", name);
	target = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_sys(err, "open folder '%s'", name);
	/* "cpu" and "cpuacct" are also found where both are mounted together. */
	for (const char *c = part->controllers; strchr(part->controllers, ',') && *c;) {
		char one[NAME_MAX + 1];
		size_t len = strcspn(c, ",");

		(void)snprintf(one, sizeof(one), "%.*s", (int)len, c);
		if (symlinkat(name, folder, one) < 0 && errno != EEXIST)
			return err_sys(err, "link '%s' to '%s'", one, name);
		c += len + (c[len] == ',');
	}
	return mount_fd_attach(view, target, err);
}

static int mount_v1(const struct rootfs *rootfs, const struct spec_mount *m, uint64_t attrs,
		    struct error *err)
{
	cleanup_fd int target = rootfs_target(rootfs->fd, m->destination, true, err);
	cleanup_fd int tmpfs = -EBADF;
	int r;

	if (target < 0)
		return target;
	tmpfs = mount_fd_new("tmpfs", "tmpfs", "mode=755", attrs & ~(uint64_t)MOUNT_ATTR_RDONLY,
			     err);
	if (tmpfs < 0)
		return tmpfs;
	r = mount_fd_attach(tmpfs, target, err); /* mounts can go only onto attached ones */
	for (size_t i = 0; r >= 0 && i < rootfs->cgroup->n; i++) {
		const struct cgroup_part *part = &rootfs->cgroup->parts[i];

		if (!part->v2)
			r = mount_v1_part(rootfs, part, tmpfs, attrs, err);
	}
	if (r < 0)
		return r;
	return mount_fd_change(tmpfs, attrs & MOUNT_ATTR_RDONLY, 0,
			       m->options.propagation & ~(unsigned long)MS_REC, false, err);
}

int mount_cgroups(const struct rootfs *rootfs, const struct spec_mount *m, struct error *err)
{
	const uint64_t attrs = mount_fd_attrs(m->options.flags);
	const struct cgroup_part *v2 = cgroup_find(rootfs->cgroup, "");
	const bool unified = rootfs->cgroup->n == 1 && v2;
	cleanup_fd int target = -EBADF;
	cleanup_fd int view = -EBADF;

	if (rootfs->cgroup->n == 0)
		return err_set(err, -EOPNOTSUPP, "no cgroup hierarchy is mounted on this system");
	if (!unified && strcmp(m->type, "cgroup") == 0)
		return mount_v1(rootfs, m, attrs, err);
	if (!v2)
		return err_set(err, -EOPNOTSUPP, "no cgroup2 is mounted on this system");
	view = open_view(rootfs, v2, attrs, err);
	if (view < 0)
		return view;
	target = rootfs_target(rootfs->fd, m->destination, true, err);
	if (target < 0)
		return target;
	return mount_fd_attach(view, target, err);
}
