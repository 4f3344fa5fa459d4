/*
 * mnt-bare: a mount without what is mounted on it.
 *
 * Files of a tmpfs may lie under another mount, and a whole tmpfs may. They
 * are seen in a copy of the namespace, from which what covers the mount has
 * been unmounted. A child makes that copy, and hands back a descriptor: it
 * shares our table of descriptors, nothing else.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/mnt.h"

#define MNT_PRIVATE (1UL << 18)
#define MNT_RECURSE (1UL << 14)
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#define COVERS_MAX 256

struct bare {
	int user; /* its user namespace, or -EBADF: ours */
	int mnt;
	int to; /* the number of the result */
	const char *mountpoint;
	const char *covers[COVERS_MAX]; /* to be unmounted, in this order */
	size_t n;
};

/* Mounts that lie on each other's roots, from the top down. */
static void add_stack(struct bare *b, const struct mnt_ns *ns, const struct mountinfo *mount)
{
	for (size_t i = 0; i < ns->table.n; i++) {
		const struct mountinfo *child = &ns->table.mounts[i];

		if (child->parent_id == mount->id && child != mount &&
		    !strcmp(child->mountpoint, mount->mountpoint))
			add_stack(b, ns, child);
	}
	if (b->n < COVERS_MAX)
		b->covers[b->n++] = mount->mountpoint;
}

static bool leads_to(const char *mountpoint, const char *path)
{
	size_t len = strcmp(mountpoint, "/") ? strlen(mountpoint) : 0;

	return !strncmp(mountpoint, path, len) && (!path[len] || path[len] == '/');
}

/* On the way to the mount, those that stand in it: near the root first. */
static void find_covers(struct bare *b, const struct mnt_ns *ns, const struct mountinfo *mount,
			const struct mountinfo *way)
{
	const struct mountinfo *parent = mnt_parent(ns, way);

	if (parent)
		find_covers(b, ns, mount, parent);
	for (size_t i = 0; i < ns->table.n; i++) {
		const struct mountinfo *child = &ns->table.mounts[i];
		bool on_way = false;

		if (child->parent_id != way->id || child == way ||
		    !leads_to(child->mountpoint, mount->mountpoint))
			continue;
		for (const struct mountinfo *m = mount; m; m = mnt_parent(ns, m))
			on_way |= m == child;
		if (!on_way)
			add_stack(b, ns, child);
	}
}

/* In the child: nothing is allocated, nothing is told but by the exit code. */
static int child(const struct bare *b)
{
	int fd;

	if (b->user >= 0 && setns(b->user, CLONE_NEWUSER) < 0)
		return errno;
	if (setns(b->mnt, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    syscall(SYS_mount, NULL, "/", NULL, MNT_RECURSE | MNT_PRIVATE, NULL) < 0)
		return errno;
	for (size_t i = 0; i < b->n; i++)
		if (syscall(SYS_umount2, b->covers[i], MNT_DETACH) < 0)
			return errno;
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, b->mountpoint,
			  OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return errno;
	/* Opened for reading, in a table that is also our parent's: both must go. */
	int root = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = root < 0 || dup3(root, b->to, O_CLOEXEC) < 0 ? errno : 0;

	(void)close(fd); /* the result keeps the mount */
	if (root >= 0)
		(void)close(root);
	return code;
}

static int open_ns(pid_t host_pid, const char *name, struct error *err)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", host_pid, name); /* always fits */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open '%s'", path) : fd;
}

int mnt_open_bare(struct dump *dump, const struct mnt_ns *ns, const struct mountinfo *mount,
		  struct error *err)
{
	cleanup_fd int user = -EBADF;
	cleanup_fd int mnt = -EBADF;
	cleanup_fd int to = -EBADF;
	struct bare b = { .mountpoint = mount->mountpoint };
	int status = 0;
	long pid;

	find_covers(&b, ns, mount, mount);
	if (b.n == COVERS_MAX)
		return err_set(err, -EOPNOTSUPP, "mount '%s': more than %d mounts lie over it",
			       mount->mountpoint, COVERS_MAX - 1);
	mnt = open_ns(ns->host_pid, "mnt", err);
	if (mnt < 0)
		return mnt;
	if (dump->ns[DUMP_NS_USER].other) {
		user = open_ns(ns->host_pid, "user", err);
		if (user < 0)
			return user;
	}
	to = open("/", O_PATH | O_CLOEXEC); /* a number of ours, to be replaced */
	if (to < 0)
		return err_sys(err, "mount '%s': a descriptor for it", mount->mountpoint);
	b.user = user;
	b.mnt = mnt;
	b.to = to;
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(child(&b));
	if (pid < 0 || waitpid((pid_t)pid, &status, __WALL) < 0)
		return err_sys(err, "mount '%s': a child that looks at it", mount->mountpoint);
	if (!WIFEXITED(status))
		return err_set(err, -ECHILD, "mount '%s': the child that looks at it was killed",
			       mount->mountpoint);
	if (WEXITSTATUS(status))
		return err_set(err, -WEXITSTATUS(status),
			       "mount '%s': to see it without what is mounted on it: %s",
			       mount->mountpoint, strerror(WEXITSTATUS(status)));
	return take_fd(&to);
}
