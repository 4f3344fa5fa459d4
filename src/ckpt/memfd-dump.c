/*
 * memfd-dump: files in memory that have no name, sealed or not.
 *
 * Three things are such files: what memfd_create(2) gives, shared anonymous
 * memory, and both with huge pages. memfd.img has a record for each inode,
 * whatever the descriptions and mappings of it; CRIU has it so, too.
 */
#include "ckpt/memfd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/shmem.h"
#include "ckpt/userns.h"
#include "img/pb/memfd.pb-c.h"

#define PREFIX "/memfd:"
#define DELETED " (deleted)"

struct memfd_seen {
	uint64_t dev;
	uint64_t ino;
	uint32_t id;
};

/* The kernel's own file system for them, which is mounted nowhere. */
static bool is_kernels(dev_t device)
{
	cleanup_fd int fd = memfd_create("device", MFD_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == device;
}

bool memfd_is(const struct fd_look *look)
{
	const char *name = look->link;

	if (!S_ISREG(look->st.st_mode) || look->st.st_nlink)
		return false;
	if (look->fs_type == HUGETLBFS_MAGIC)
		return !strncmp(name, PREFIX, strlen(PREFIX)) ||
		       !strncmp(name, HUGE_ANONYMOUS, strlen(HUGE_ANONYMOUS));
	/* Anybody may call a file so, and delete it. */
	return look->fs_type == TMPFS_MAGIC &&
	       (!strncmp(name, PREFIX, strlen(PREFIX)) || !strcmp(name, ANONYMOUS DELETED)) &&
	       is_kernels(look->st.st_dev);
}

static int by_inode(const void *a, const void *b)
{
	const struct memfd_seen *x = a;
	const struct memfd_seen *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

uint32_t memfd_huge_flag(uint64_t page_size)
{
	return (uint32_t)__builtin_ctzll(page_size) << MAP_HUGE_SHIFT;
}

/* As CRIU names it: without "memfd:", or without the slash. */
static char *inode_name(struct dump *dump, const char *link)
{
	size_t skip = strncmp(link, PREFIX, strlen(PREFIX)) != 0 ? 0 : strlen(PREFIX);
	char *name = arena_strdup(&dump->arena, link + skip);

	if (name && strlen(name) >= strlen(DELETED))
		name[strlen(name) - strlen(DELETED)] = '\0';
	return name;
}

static int write_inode(struct dump *dump, const struct dump_fd *fd, uint32_t id, struct error *err)
{
	MemfdInodeEntry entry = MEMFD_INODE_ENTRY__INIT;
	const struct fd_look *look = &fd->look;
	cleanup_fd int own = -EBADF;
	struct statfs fs;
	char path[40];
	char *name;
	int seals;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd->fd); /* always fits */
	own = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(err, "%s: open memfd '%s'", look->where, look->link);
	seals = fcntl(own, F_GET_SEALS);
	if (seals < 0)
		return err_sys(err, "%s: seals of memfd '%s'", look->where, look->link);
	if (look->fs_type == HUGETLBFS_MAGIC) {
		if (fstatfs(own, &fs) < 0)
			return err_sys(err, "%s: statfs of memfd '%s'", look->where, look->link);
		entry.has_hugetlb_flag = true;
		entry.hugetlb_flag = MFD_HUGETLB | memfd_huge_flag((uint64_t)fs.f_bsize);
	}
	name = inode_name(dump, look->link);
	if (!name)
		return err_oom(err);
	entry.name = name;
	entry.uid = userns_uid(dump, look->st.st_uid);
	entry.gid = userns_gid(dump, look->st.st_gid);
	entry.size = (uint64_t)look->st.st_size;
	entry.shmid = shmem_number(dump);
	entry.seals = (uint32_t)seals;
	entry.inode_id = id;
	entry.has_mode = true;
	entry.mode = look->st.st_mode;
	r = shmem_note(dump, entry.shmid, &own, err);
	if (r == 0 && dump->memfds.fd < 0)
		r = dump_image_create(dump, &dump->memfds, IMG_KIND_MEMFD, 0, err);
	return r < 0 ? r : image_write(&dump->memfds, &entry.base, err);
}

int memfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	struct memfd_seen *seen = arena_new(&dump->arena, struct memfd_seen);
	MemfdFileEntry entry = MEMFD_FILE_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	struct memfd_seen **found;
	int r;

	if (!seen)
		return err_oom(err);
	seen->dev = fd->look.st.st_dev;
	seen->ino = fd->look.st.st_ino;
	found = tsearch(seen, &dump->memfds_seen, by_inode);
	if (!found)
		return err_oom(err);
	if (*found == seen) {
		seen->id = ++dump->last_memfd_id;
		r = write_inode(dump, fd, seen->id, err);
		if (r < 0)
			return r;
	}
	entry.id = fd->id;
	entry.flags = fd->flags;
	entry.pos = fd->pos;
	entry.fown = (FownEntry *)&fd->fown;
	entry.inode_id = (*found)->id;
	file.type = FD_TYPES__MEMFD;
	file.id = fd->id;
	file.memfd = &entry;
	return image_write(&dump->files, &file.base, err);
}

static void keep(void *node UNUSED)
{
}

void memfds_done(struct dump *dump)
{
	tdestroy(dump->memfds_seen, keep);
	dump->memfds_seen = NULL;
}
