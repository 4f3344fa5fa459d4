/*
 * mnt-dump: the mount tables of the tree, and what its files are reached by.
 *
 * A namespace is seen through one of its tasks. A table shows what lies below
 * the task's root folder, so a task is taken that has not changed its own.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/path.h"
#include "ckpt/dump-priv.h"
#include "ckpt/mnt.h"
#include "ckpt/tmpfs.h"

/* A file system's root folder, opened before the freeze or in it, and kept. */
struct mnt_bare {
	struct mnt_bare *next;
	uint32_t device;
	int fd;
};

/* ------------------------------------------------------------------ collecting */

static bool has_root_of_ns(pid_t host_pid)
{
	char path[32];
	char root[8];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/root", host_pid); /* always fits */
	n = readlink(path, root, sizeof(root));
	return n == 1 && root[0] == '/';
}

static int look(struct mnt_ns *ns, pid_t host_pid, bool own, struct error *err)
{
	cleanup_fd int proc = -EBADF;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d", host_pid); /* always fits */
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return err_sys(err, "open '%s'", path);
	r = mountinfo_read_at(proc, "mountinfo", &ns->table, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", host_pid);
	ns->host_pid = host_pid;
	ns->root_fd = own ? openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC)
			  : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ns->root_fd < 0)
		return err_sys(err, "open the root of task %d", host_pid);
	return 0;
}

/* The task of that namespace by which it is seen best. */
static pid_t find_viewer(const struct dump *dump, uint32_t id, pid_t first)
{
	if (has_root_of_ns(first))
		return first;
	for (size_t i = 0; i < dump->n_tasks; i++) {
		const struct dump_task *task = &dump->tasks[i];

		if (task->ids && task->ids->mnt_ns_id == id && has_root_of_ns(task->host_pid))
			return task->host_pid;
	}
	return first;
}

static int add_ns(struct dump *dump, uint32_t id, pid_t host_pid, struct error *err)
{
	struct mnt_ns *more = reallocarray(dump->mnts, dump->n_mnts + 1, sizeof(*more));
	struct mnt_ns *ns;

	if (!more)
		return err_oom(err);
	dump->mnts = more;
	ns = &more[dump->n_mnts++];
	*ns = (struct mnt_ns){ .id = id, .root_fd = -EBADF, .table = MOUNTINFO_TABLE_INIT };
	return look(ns, find_viewer(dump, id, host_pid), dump->ns[DUMP_NS_MNT].other, err);
}

static void forget_tables(struct dump *dump)
{
	for (size_t i = 0; i < dump->n_mnts; i++) {
		cleanup_fd_p(&dump->mnts[i].root_fd);
		mountinfo_table_done(&dump->mnts[i].table);
	}
	free(dump->mnts);
	dump->mnts = NULL;
	dump->n_mnts = 0;
}

int mnt_collect(struct dump *dump, struct error *err)
{
	int r;

	forget_tables(dump); /* what was seen before the freeze is old */
	r = add_ns(dump, dump->ns[DUMP_NS_MNT].root_id, dump->opts->pid, err);
	for (const struct dump_nested *n = dump->nested; n && r == 0; n = n->next) {
		if (n->kind == DUMP_NS_MNT)
			r = add_ns(dump, n->id, n->host_pid, err);
	}
	return r;
}

/* --------------------------------------------------------------------- finding */

const struct mountinfo *mnt_find(const struct dump *dump, int mnt_id, const struct mnt_ns **ret_ns)
{
	for (size_t i = 0; i < dump->n_mnts; i++) {
		const struct mountinfo *mount = mountinfo_by_id(&dump->mnts[i].table, mnt_id);

		if (mount && ret_ns)
			*ret_ns = &dump->mnts[i];
		if (mount)
			return mount;
	}
	return NULL;
}

const struct mountinfo *mnt_parent(const struct mnt_ns *ns, const struct mountinfo *mount)
{
	return mount->parent_id == mount->id ? NULL : mountinfo_by_id(&ns->table, mount->parent_id);
}

bool mnt_is_root(const struct mnt_ns *ns, const struct mountinfo *mount)
{
	return !mnt_parent(ns, mount);
}

int dump_open_path(const struct dump *dump, const char *path, int flags, struct error *err)
{
	return path_open_beneath(dump->mnts[0].root_fd, path + strspn(path, "/"), flags, 0, err);
}

int dump_open_path_on(const struct dump *dump, int mnt_id, const char *path, int flags,
		      struct error *err)
{
	const struct mnt_ns *ns = &dump->mnts[0];

	(void)mnt_find(dump, mnt_id, &ns);
	return path_open_beneath(ns->root_fd, path + strspn(path, "/"), flags, 0, err);
}

/* --------------------------------------------------------------------- opening */

static bool has_children(const struct mnt_ns *ns, const struct mountinfo *mount)
{
	for (size_t i = 0; i < ns->table.n; i++) {
		const struct mountinfo *child = &ns->table.mounts[i];

		if (child->parent_id == mount->id && child != mount)
			return true;
	}
	return false;
}

/* By its name, if that leads to it: nothing lies over it. */
static int open_visible(const struct mnt_ns *ns, const struct mountinfo *mount)
{
	int fd = path_open_beneath(ns->root_fd, mount->mountpoint + strspn(mount->mountpoint, "/"),
				   O_RDONLY | O_DIRECTORY, 0, NULL);
	struct statx stx;

	if (fd >= 0 && statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) == 0 &&
	    stx.stx_mask & STATX_MNT_ID && stx.stx_mnt_id == (uint64_t)mount->id)
		return fd;
	if (fd >= 0)
		(void)close(fd); /* it was only looked at */
	return -ENOENT;
}

int mnt_open(struct dump *dump, const struct mnt_ns *ns, const struct mountinfo *mount, int *ret_fd,
	     struct error *err)
{
	struct mnt_bare *bare = dump->bare;
	uint32_t device = mnt_device(mount);
	int fd = -ENOENT;

	while (bare && bare->device != device)
		bare = bare->next;
	if (bare) {
		*ret_fd = bare->fd;
		return 0;
	}
	if (!has_children(ns, mount))
		fd = open_visible(ns, mount);
	if (fd < 0)
		fd = mnt_open_bare(dump, ns, mount, err);
	if (fd < 0)
		return fd;
	bare = arena_new(&dump->arena, struct mnt_bare);
	if (!bare) {
		(void)close(fd); /* it was only looked at */
		return err_oom(err);
	}
	*bare = (struct mnt_bare){ .next = dump->bare, .device = device, .fd = fd };
	dump->bare = bare;
	*ret_fd = fd;
	return 0;
}

int mnt_prepare(struct dump *dump, struct error *err)
{
	const struct mnt_ns *ns;
	int r;

	if (!dump->ns[DUMP_NS_MNT].other)
		return 0;
	r = add_ns(dump, dump->ns[DUMP_NS_MNT].root_id, dump->opts->pid, err);
	if (r < 0)
		return r;
	ns = &dump->mnts[0];
	for (size_t i = 0; i < ns->table.n && r == 0; i++) {
		const struct mountinfo *mount = &ns->table.mounts[i];
		int fd;

		if (strcmp(mount->fstype, "tmpfs") != 0 || !mnt_has_files(dump, ns, mount))
			continue;
		/* What can't be opened is told in the freeze, if it is still so. */
		if (mnt_open(dump, ns, mount, &fd, NULL) == 0)
			r = tmpfs_pack_ahead(dump, fd, mnt_device(mount), mount->mountpoint, err);
	}
	return r;
}

void mnt_done(struct dump *dump)
{
	forget_tables(dump);
	for (struct mnt_bare *bare = dump->bare; bare; bare = bare->next)
		cleanup_fd_p(&bare->fd);
	dump->bare = NULL;
}
