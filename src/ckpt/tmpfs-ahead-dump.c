/*
 * tmpfs-ahead: archives made while the tree still runs.
 *
 * Most tmpfs of a container hold no data: device nodes and links in /dev, empty
 * folders that mask something. What such a one is, its inodes say: it is
 * packed before the freeze together with a list of them, and in the freeze
 * only the list is made again. If it is the same, so is the archive. A file
 * with bytes in it can change through a shared mapping without a trace in its
 * inode, so a tmpfs that has one is left for the freeze.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/tmpfs.h"

#define ENTRIES_MAX 1024
#define DEPTH_MAX 16

struct listing {
	struct buf inodes;
	dev_t dev;
	size_t n;
};

/* All of an inode that an archive shows, or that tells of a change. */
static void list_inode(struct listing *l, const char *name, const struct stat *st)
{
	buf_addf(&l->inodes, "%s\n%lu %o %lu %u %u %lu %ld %ld.%ld %ld.%ld\n", name,
		 (unsigned long)st->st_ino, st->st_mode, (unsigned long)st->st_nlink, st->st_uid,
		 st->st_gid, (unsigned long)st->st_rdev, (long)st->st_size,
		 (long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long)st->st_ctim.tv_sec,
		 st->st_ctim.tv_nsec);
}

/* Takes the descriptor. False: it has data, is too large, or can't be read. */
static bool list_folder(struct listing *l, int fd, unsigned int depth)
{
	cleanup_dir DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		(void)close(fd); /* not taken over */
		return false;
	}
	if (depth > DEPTH_MAX)
		return false;
	for (;;) {
		struct stat st;
		int sub;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (l->n++ == ENTRIES_MAX || fstatat(dirfd(dir), entry->d_name, &st,
						     AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
			return false;
		if (S_ISREG(st.st_mode) && st.st_size)
			return false;
		list_inode(l, entry->d_name, &st);
		if (!S_ISDIR(st.st_mode) || st.st_dev != l->dev)
			continue;
		sub = openat(dirfd(dir), entry->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 || !list_folder(l, sub, depth + 1))
			return false;
	}
	buf_adds(&l->inodes, "\n\n");
	return !errno;
}

static bool list_all(int root_fd, struct listing *l)
{
	struct stat st;
	int fd;

	if (fstat(root_fd, &st) < 0)
		return false;
	l->dev = st.st_dev;
	list_inode(l, ".", &st);
	fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && list_folder(l, fd, 0) && buf_ok(&l->inodes);
}

int tmpfs_pack_ahead(struct dump *dump, int root_fd, uint32_t device, const char *mountpoint,
		     struct error *err)
{
	struct listing l = { .inodes = BUF_INIT };
	struct tmpfs_ahead *ahead;
	int r = 0;

	if (list_all(root_fd, &l)) {
		ahead = arena_new(&dump->arena, struct tmpfs_ahead);
		r = ahead ? tmpfs_pack(dump, root_fd, device, mountpoint, err) : err_oom(err);
		if (r == 0) {
			ahead->device = device;
			ahead->inodes = arena_memdup(&dump->arena, l.inodes.data, l.inodes.len);
			ahead->len = l.inodes.len;
			ahead->next = dump->tmpfs_ahead;
			if (ahead->inodes)
				dump->tmpfs_ahead = ahead;
		}
	}
	buf_done(&l.inodes);
	return r;
}

bool tmpfs_is_packed(const struct dump *dump, int root_fd, uint32_t device)
{
	const struct tmpfs_ahead *ahead = dump->tmpfs_ahead;
	struct listing l = { .inodes = BUF_INIT };
	bool same;

	while (ahead && ahead->device != device)
		ahead = ahead->next;
	if (!ahead)
		return false;
	same = list_all(root_fd, &l) && l.inodes.len == ahead->len &&
	       !memcmp(l.inodes.data, ahead->inodes, ahead->len);
	buf_done(&l.inodes);
	return same;
}
