/*
 * memfd-restore: each inode of memfd.img is made once, as what it was: by
 * memfd_create(2), or as shared anonymous memory, whose inode is called so.
 *
 * The description that memfd_create(2) returns is the only one that is open
 * for writing and still lets the file be executed. It becomes the first
 * descriptor that can read and write, and it is what is mapped that way.
 */
#include "ckpt/memfd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/shmem-restore.h"
#include "img/image.h"
#include "img/pb/memfd.pb-c.h"

struct rmemfd {
	const MemfdInodeEntry *e;
	int staging; /* open for both ways; -1: not made so far */
	bool given;  /* that description is some descriptor's already */
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
	if (ret < 0 && ret != -ENOENT)
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

static bool is_anonymous(const MemfdInodeEntry *e)
{
	return e->size && (!strcmp(e->name, ANONYMOUS) || !strcmp(e->name, HUGE_ANONYMOUS));
}

static void tape_size(struct tape *tape, const struct rmemfd *m)
{
	tape_call(tape, SYS_ftruncate,
		  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(m->e->size)),
		  "size of memfd '%s'", m->e->name);
}

static void tape_owner(struct tape *tape, const struct rmemfd *m)
{
	const MemfdInodeEntry *e = m->e;

	tape_call(tape, SYS_fchown,
		  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(e->uid), tape_imm(e->gid)),
		  "owner of memfd '%s'", e->name);
	if (e->has_mode)
		tape_call(tape, SYS_fchmod,
			  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(e->mode & 07777)),
			  "mode of memfd '%s'", e->name);
}

/* The file with its content; seals come when nothing changes it any more. */
static int make_inode(struct restore *r, struct tape *tape, struct rmemfd *m, struct error *err)
{
	const MemfdInodeEntry *e = m->e;
	uint32_t huge = e->has_hugetlb_flag ? e->hugetlb_flag : 0;
	uint32_t slot;
	int ret;

	if (strlen(e->name) > 249 || e->size > INT64_MAX ||
	    huge & ~(MFD_HUGETLB | (uint32_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT))
		return err_set(err, -EBADMSG,
			       "memfd.img: bad name, size or flags of inode %" PRIu64, e->inode_id);
	if (is_anonymous(e)) {
		m->staging = shmem_new(r, e->size, huge & ~(uint32_t)MFD_HUGETLB, err);
		return m->staging < 0
			       ? m->staging
			       : shmem_tape_fill(r, e->shmid, e->size, m->staging, huge, err);
	}
	m->staging = fd_stage(r, err);
	if (m->staging < 0)
		return m->staging;
	slot = tape_call(
		tape, SYS_memfd_create,
		TAPE_ARGS(tape_at(area_add_string(&r->area, e->name)),
			  tape_imm(huge | (e->seals == F_SEAL_SEAL ? 0 : MFD_ALLOW_SEALING))),
		"making memfd '%s'", e->name);
	fd_tape_stage(tape, slot, m->staging);
	if (huge)
		tape_size(tape, m); /* it is mapped to be filled */
	ret = shmem_tape_fill(r, e->shmid, e->size, m->staging, huge, err);
	if (ret < 0)
		return ret;
	tape_size(tape, m); /* after whole pages were written */
	tape_owner(tape, m);
	return 0;
}

static int get_inode(struct restore *r, struct rfile *file, struct rmemfd **ret, struct error *err)
{
	int code = find_inode(r, file, ret, err);

	if (code == 0 && (*ret)->staging < 0)
		code = make_inode(r, r->root->build, *ret, err);
	return code;
}

int memfd_stage(struct restore *r, struct rfile *file, struct error *err)
{
	struct rmemfd *m = NULL;
	int ret = get_inode(r, file, &m, err);

	return ret < 0 ? ret : m->staging;
}

int memfd_open(struct restore *r, struct tape *tape, struct rfile *file, uint32_t flags,
	       uint32_t *ret_slot, struct error *err)
{
	struct rmemfd *m = NULL;
	char path[40];
	int ret = get_inode(r, file, &m, err);

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

static void tape_position(struct tape *tape, const MemfdFileEntry *e, struct tape_arg fd)
{
	tape_call(tape, SYS_lseek, TAPE_ARGS(fd, tape_imm(e->pos), tape_imm(SEEK_SET)),
		  "position %" PRIu64 " of memfd %u", e->pos, e->id);
}

int memfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const MemfdFileEntry *e = file->entry->memfd;
	struct rmemfd *m = NULL;
	uint32_t slot = 0;
	int ret = get_inode(r, file, &m, err);

	if (ret < 0)
		return ret;
	if (!m->given && (e->flags & O_ACCMODE) == O_RDWR) {
		m->given = true;
		file->staging = m->staging;
		tape_call(tape, SYS_fcntl,
			  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(F_SETFL),
				    tape_imm(e->flags)),
			  "flags of memfd '%s'", m->e->name);
		tape_position(tape, e, tape_imm((uint64_t)m->staging));
		return 0;
	}
	ret = memfd_open(r, tape, file, e->flags, &slot, err);
	if (ret < 0)
		return ret;
	tape_position(tape, e, tape_slot(slot));
	return rfile_stage(r, tape, file, slot, err);
}

/* Such a seal lets what is mapped already be written, and nothing be mapped so any more. */
static bool seal_is_late(const struct rmemfd *m)
{
	return m->e->seals & F_SEAL_FUTURE_WRITE && !(m->e->seals & F_SEAL_WRITE);
}

static void tape_seals(struct tape *tape, const struct rmemfd *m)
{
	tape_call(tape, SYS_fcntl,
		  TAPE_ARGS(tape_imm((uint64_t)m->staging), tape_imm(F_ADD_SEALS),
			    tape_imm(m->e->seals)),
		  "seals of memfd '%s'", m->e->name);
}

static bool has_seals(const struct rmemfd *m)
{
	return m->staging >= 0 && m->e->seals && m->e->seals != F_SEAL_SEAL && !is_anonymous(m->e);
}

void memfds_tape_seal(struct restore *r, struct tape *tape)
{
	for (size_t i = 0; r->memfds && i < r->memfds->n; i++)
		if (has_seals(&r->memfds->v[i]) && !seal_is_late(&r->memfds->v[i]))
			tape_seals(tape, &r->memfds->v[i]);
}

int memfds_seal_late(struct restore *r, struct error *err)
{
	int ret = r->memfds ? 0 : load_inodes(r, err);
	int found = 0;

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < r->memfds->n; i++) {
		struct rmemfd *m = &r->memfds->v[i];

		if (!seal_is_late(m))
			continue;
		if (m->staging < 0)
			ret = make_inode(r, r->root->build, m, err);
		if (ret >= 0)
			ret = fd_keep(r->root, m->staging, err);
		if (ret < 0)
			return ret;
		found = 1;
	}
	return found;
}

void memfds_tape_seal_late(struct restore *r)
{
	for (size_t i = 0; r->memfds && i < r->memfds->n; i++)
		if (has_seals(&r->memfds->v[i]) && seal_is_late(&r->memfds->v[i]))
			tape_seals(r->root->become, &r->memfds->v[i]);
}
