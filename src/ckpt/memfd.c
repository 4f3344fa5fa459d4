/*
 * memfd: files in memory that have no name, sealed or not.
 *
 * Several descriptions and mappings may share one inode: memfd.img has a
 * record for each inode, whose pages are a shared segment like those of
 * anonymous memory. CRIU records shared anonymous memory the same way, as an
 * inode called /dev/zero; such a one is made as what it is.
 */
#include "ckpt/memfd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/shmem-restore.h"
#include "ckpt/shmem.h"
#include "img/image.h"
#include "img/pb/memfd.pb-c.h"

#define PREFIX "/memfd:"
#define DELETED " (deleted)"
#define ANONYMOUS "/dev/zero"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct memfd_seen {
	uint64_t ino;
	uint32_t id;
};

int memfd_check(const struct cryo_dump_opts *opts UNUSED, const struct fd_look *look,
		struct error *err)
{
	if (look->fs_type != HUGETLBFS_MAGIC)
		return 0;
	return err_set(err, -EOPNOTSUPP, "%s: memfd '%s' of huge pages: this version can't save it",
		       look->where, look->link);
}

static int by_ino(const void *a, const void *b)
{
	uint64_t x = ((const struct memfd_seen *)a)->ino;
	uint64_t y = ((const struct memfd_seen *)b)->ino;

	return x < y ? -1 : x > y;
}

static int write_inode(struct dump *dump, const struct dump_fd *fd, uint32_t id, struct error *err)
{
	MemfdInodeEntry entry = MEMFD_INODE_ENTRY__INIT;
	const struct stat *st = &fd->look.st;
	cleanup_fd int own = -EBADF;
	char path[40];
	char *name;
	int seals;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd->fd); /* always fits */
	own = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(err, "%s: open memfd '%s'", fd->look.where, fd->look.link);
	seals = fcntl(own, F_GET_SEALS);
	if (seals < 0)
		return err_sys(err, "%s: seals of memfd '%s'", fd->look.where, fd->look.link);
	/* Set again, it would forbid the mappings that were made before it. */
	if ((seals & F_SEAL_FUTURE_WRITE) && !(seals & F_SEAL_WRITE))
		return err_set(err, -EOPNOTSUPP,
			       "%s: memfd '%s' is sealed against future writing, which this "
			       "version can't save",
			       fd->look.where, fd->look.link);
	name = arena_strdup(&dump->arena, fd->look.link + strlen(PREFIX));
	if (!name)
		return err_oom(err);
	if (strlen(name) >= strlen(DELETED))
		name[strlen(name) - strlen(DELETED)] = '\0';
	entry.name = name;
	entry.uid = st->st_uid;
	entry.gid = st->st_gid;
	entry.size = (uint64_t)st->st_size;
	entry.shmid = (uint32_t)st->st_ino;
	entry.seals = (uint32_t)seals;
	entry.inode_id = id;
	entry.has_mode = true;
	entry.mode = st->st_mode;
	r = shmem_note_file(dump, st->st_ino, &own, err);
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
	seen->ino = fd->look.st.st_ino;
	found = tsearch(seen, &dump->memfds_seen, by_ino);
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

/* ------------------------------------------------------------------ restore */

struct rmemfd {
	const MemfdInodeEntry *e;
	int staging; /* open for both ways; -1: not made so far */
};

struct rmemfds {
	struct rmemfd *v; /* ascending by inode_id */
	size_t n;
};

static int by_inode_id(const void *a, const void *b)
{
	uint64_t x = ((const struct rmemfd *)a)->e->inode_id;
	uint64_t y = ((const struct rmemfd *)b)->e->inode_id;

	return x < y ? -1 : x > y;
}

static int load_inodes(struct restore *r, struct error *err)
{
	struct rmemfds *all = calloc(1, sizeof(*all));
	MemfdInodeEntry **entries = NULL;
	size_t n = 0;
	int ret;

	if (!all)
		return err_oom(err);
	r->memfds = all;
	ret = image_read_all(r->opts->images_dir, IMG_KIND_MEMFD, 0, &r->arena, &entries, &n, err);
	if (ret < 0)
		return ret;
	all->v = calloc(n + 1, sizeof(*all->v));
	if (!all->v)
		return err_oom(err);
	for (size_t i = 0; i < n; i++)
		all->v[i] = (struct rmemfd){ .e = entries[i], .staging = -1 };
	all->n = n;
	qsort(all->v, n, sizeof(*all->v), by_inode_id);
	return 0;
}

void memfds_restore_done(struct restore *r)
{
	if (r->memfds)
		free(r->memfds->v);
	free(r->memfds);
	r->memfds = NULL;
}

static int find_inode(struct restore *r, struct rfile *file, struct rmemfd **ret, struct error *err)
{
	const MemfdFileEntry *e = file->entry->memfd;
	MemfdInodeEntry wanted = MEMFD_INODE_ENTRY__INIT;
	struct rmemfd key = { .e = &wanted };
	int code = r->memfds ? 0 : load_inodes(r, err);

	if (code < 0)
		return code;
	if (!e)
		return err_set(err, -EBADMSG, "files.img: memfd %u has no record", file->entry->id);
	wanted.inode_id = e->inode_id;
	*ret = bsearch(&key, r->memfds->v, r->memfds->n, sizeof(key), by_inode_id);
	if (!*ret)
		return err_set(err, -EBADMSG, "memfd.img: no inode %u", e->inode_id);
	return 0;
}

/* The file with its content; owner and seals come when nothing changes it any more. */
static int make_inode(struct restore *r, struct tape *tape, struct rmemfd *m, struct error *err)
{
	const MemfdInodeEntry *e = m->e;
	uint32_t slot;
	int ret;

	if (e->has_hugetlb_flag)
		return err_set(err, -EOPNOTSUPP, "memfd '%s' of huge pages can't be rebuilt yet",
			       e->name);
	if (strlen(e->name) > 249 || e->size > INT64_MAX)
		return err_set(err, -EBADMSG, "memfd.img: bad name or size of inode %" PRIu64,
			       e->inode_id);
	if (!strcmp(e->name, ANONYMOUS) && e->size) {
		m->staging = shmem_new(r, e->size, err);
		if (m->staging < 0)
			return m->staging;
		return shmem_tape_fill(r, e->shmid, e->size, m->staging, err);
	}
	m->staging = fd_stage(r, err);
	if (m->staging < 0)
		return m->staging;
	slot = tape_call(tape, SYS_memfd_create,
			 TAPE_ARGS(tape_at(area_add_string(&r->area, e->name)),
				   tape_imm(e->seals == F_SEAL_SEAL ? 0 : MFD_ALLOW_SEALING)),
			 "making memfd '%s'", e->name);
	fd_tape_stage(tape, slot, m->staging);
	ret = shmem_tape_fill(r, e->shmid, e->size, m->staging, err);
	if (ret < 0)
		return ret;
	/* After whole pages were written. */
	tape_call(tape, SYS_ftruncate, TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(e->size)),
		  "size of memfd '%s'", e->name);
	tape_call(tape, SYS_fchown,
		  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(e->uid), tape_imm(e->gid)),
		  "owner of memfd '%s'", e->name);
	if (e->has_mode)
		tape_call(tape, SYS_fchmod,
			  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(e->mode & 07777)),
			  "mode of memfd '%s'", e->name);
	return 0;
}

int memfd_open(struct restore *r, struct tape *tape, struct rfile *file, uint32_t flags,
	       uint32_t *ret_slot, struct error *err)
{
	struct rmemfd *m = NULL;
	char path[40];
	int ret = find_inode(r, file, &m, err);

	if (ret == 0 && m->staging < 0)
		ret = make_inode(r, tape, m, err);
	if (ret < 0)
		return ret;
	(void)snprintf(path, sizeof(path), "self/fd/%d", m->staging); /* always fits */
	*ret_slot = tape_call(
		tape, SYS_openat,
		TAPE_ARGS(tape_imm((uint64_t)r->proc_fd), tape_at(area_add_string(&r->area, path)),
			  tape_imm(flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC))),
		"open memfd '%s'", m->e->name);
	return 0;
}

int memfd_check_mapped(struct restore *r, struct rfile *file, struct error *err)
{
	struct rmemfd *m = NULL;
	int ret = find_inode(r, file, &m, err);

	if (ret < 0 || !(m->e->seals & F_SEAL_FUTURE_WRITE))
		return ret;
	return err_set(err, -EOPNOTSUPP,
		       "memfd '%s' is mapped for writing and sealed against future writing; that "
		       "can't be rebuilt yet",
		       m->e->name);
}

int memfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const MemfdFileEntry *e = file->entry->memfd;
	uint32_t slot = 0;
	int ret = memfd_open(r, tape, file, e ? e->flags : 0, &slot, err);

	if (ret < 0)
		return ret;
	if (e->pos)
		tape_call(tape, SYS_lseek,
			  TAPE_ARGS(tape_slot(slot), tape_imm(e->pos), tape_imm(SEEK_SET)),
			  "position %" PRIu64 " of memfd %u", e->pos, e->id);
	return rfile_stage(r, tape, file, slot, err);
}

void memfds_tape_seal(struct restore *r, struct tape *tape)
{
	for (size_t i = 0; r->memfds && i < r->memfds->n; i++) {
		const struct rmemfd *m = &r->memfds->v[i];

		if (m->staging < 0 || !m->e->seals || m->e->seals == F_SEAL_SEAL ||
		    !strcmp(m->e->name, ANONYMOUS))
			continue;
		tape_call(tape, SYS_fcntl,
			  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(F_ADD_SEALS),
				    tape_imm(m->e->seals)),
			  "seals of memfd '%s'", m->e->name);
	}
}
