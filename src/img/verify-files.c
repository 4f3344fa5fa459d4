/*
 * verify-files: open file descriptions and what they refer to.
 */
#include "base/arena.h"
#include "base/cleanup.h"
#include "img/image.h"
#include "img/pb/cgroup.pb-c.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/mnt.pb-c.h"
#include "img/pb/pipe-data.pb-c.h"
#include "img/pb/remap-file-path.pb-c.h"
#include "img/pb/seccomp.pb-c.h"
#include "img/pb/sk-packet.pb-c.h"
#include "img/verify-priv.h"

#define REMAP_GHOST (1u << 31) /* how remap_id was marked before it had a type */

static void add_file(struct verify *verify, const FileEntry *file)
{
	id_table_add(verify, &verify->files, file->id, (uint32_t)file->type);
	if (file->pipe)
		id_table_add(verify, &verify->pipes, file->pipe->pipe_id, 0);
	if (file->fifo)
		id_table_add(verify, &verify->pipes, file->fifo->pipe_id, 0);
}

/* Whether the record has the part that its type announces. */
static bool has_part(const FileEntry *file)
{
	switch (file->type) {
	case FD_TYPES__REG:
		return file->reg;
	case FD_TYPES__PIPE:
		return file->pipe;
	case FD_TYPES__FIFO:
		return file->fifo;
	case FD_TYPES__INETSK:
		return file->isk;
	case FD_TYPES__UNIXSK:
		return file->usk;
	case FD_TYPES__EVENTFD:
		return file->efd;
	case FD_TYPES__EVENTPOLL:
		return file->epfd;
	case FD_TYPES__INOTIFY:
		return file->ify;
	case FD_TYPES__FANOTIFY:
		return file->ffy;
	case FD_TYPES__SIGNALFD:
		return file->sgfd;
	case FD_TYPES__PACKETSK:
		return file->psk;
	case FD_TYPES__TTY:
		return file->tty;
	case FD_TYPES__NETLINKSK:
		return file->nlsk;
	case FD_TYPES__NS:
		return file->nsf;
	case FD_TYPES__TUNF:
		return file->tunf;
	case FD_TYPES__EXT:
		return file->ext;
	case FD_TYPES__TIMERFD:
		return file->tfd;
	case FD_TYPES__MEMFD:
		return file->memfd;
	case FD_TYPES__BPFMAP:
		return file->bpf;
	case FD_TYPES__PIDFD:
		return file->pidfd;
	default:
		return false;
	}
}

static void need_regular(struct verify *verify, uint32_t id, uint32_t regf_id)
{
	const struct id_row *row = id_table_find(&verify->files, regf_id);

	if (!row || row->what != FD_TYPES__REG)
		verify_found(verify, "files.img: file %#x: its path is file %#x, which is no path",
			     id, regf_id);
}

static void check_file(struct verify *verify, const FileEntry *file)
{
	if (!has_part(file)) {
		verify_found(verify, "files.img: file %#x: has no record of its type %d", file->id,
			     (int)file->type);
		return;
	}
	if (file->reg && file->reg->has_mnt_id && file->reg->mnt_id >= 0 && verify->mounts.n &&
	    !id_table_find(&verify->mounts, (uint64_t)file->reg->mnt_id))
		verify_found(verify, "files.img: file %#x ('%s'): is on mount %d, which is missing",
			     file->id, file->reg->name, file->reg->mnt_id);
	if (file->fifo && file->fifo->has_regf_id)
		need_regular(verify, file->id, file->fifo->regf_id);
	if (file->tty && file->tty->has_regf_id)
		need_regular(verify, file->id, file->tty->regf_id);
	if (file->tty && !id_table_find(&verify->terminals, file->tty->tty_info_id))
		verify_found(verify, "files.img: file %#x: terminal %#x is not in tty-info.img",
			     file->id, file->tty->tty_info_id);
	if (file->memfd && !id_table_find(&verify->memfds, file->memfd->inode_id))
		verify_found(verify, "files.img: file %#x: inode %#x is not in memfd.img", file->id,
			     file->memfd->inode_id);
}

/* ---- tables of what others refer to ---- */

static void read_memfds(struct verify *verify, struct arena *arena)
{
	MemfdInodeEntry **inodes = NULL;
	size_t n = 0;

	if (!verify_read(verify, IMG_KIND_MEMFD, 0, arena, &inodes, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		id_table_add(verify, &verify->memfds, inodes[i]->inode_id, 0);
		if (inodes[i]->size > 0 &&
		    !folder_find(&verify->folder, IMG_KIND_PAGEMAP_SHMEM, inodes[i]->shmid))
			verify_found(verify,
				     "memfd.img: '%s': pagemap-shmem-%u.img is missing, its %llu "
				     "bytes with it",
				     inodes[i]->name, inodes[i]->shmid,
				     (unsigned long long)inodes[i]->size);
	}
}

static void read_terminals(struct verify *verify, struct arena *arena)
{
	TtyInfoEntry **infos = NULL;
	size_t n = 0;

	if (!verify_read(verify, IMG_KIND_TTY_INFO, 0, arena, &infos, &n))
		return;
	for (size_t i = 0; i < n; i++)
		id_table_add(verify, &verify->terminals, infos[i]->id, 0);
}

static void read_filters(struct verify *verify, struct arena *arena)
{
	SeccompEntry **entries = NULL;
	size_t n = 0;

	if (!verify_read(verify, IMG_KIND_SECCOMP, 0, arena, &entries, &n) || n == 0)
		return;
	for (size_t i = 0; i < entries[0]->n_seccomp_filters; i++) {
		const SeccompFilter *filter = entries[0]->seccomp_filters[i];

		id_table_add(verify, &verify->filters, i, 0);
		/* Each stands behind the one it was installed after: the chain has an end. */
		if (filter->has_prev && filter->prev >= i)
			verify_found(verify, "seccomp.img: filter %zu: comes after filter %u", i,
				     filter->prev);
		if (filter->filter.len % 8)
			verify_found(verify,
				     "seccomp.img: filter %zu: has %zu bytes, no multiple of 8", i,
				     filter->filter.len);
	}
}

static void read_cgroup_sets(struct verify *verify, struct arena *arena)
{
	CgroupEntry **entries = NULL;
	size_t n = 0;

	if (!verify_read(verify, IMG_KIND_CGROUP, 0, arena, &entries, &n) || n == 0)
		return;
	for (size_t i = 0; i < entries[0]->n_sets; i++)
		id_table_add(verify, &verify->cgroup_sets, entries[0]->sets[i]->id, 0);
}

static void read_mounts(struct verify *verify, struct arena *arena)
{
	const struct folder *folder = &verify->folder;

	for (size_t i = 0; i < folder->n_files; i++) {
		MntEntry **mounts = NULL;
		size_t n = 0;

		if (folder->files[i].kind != IMG_KIND_MNTS ||
		    !verify_read(verify, IMG_KIND_MNTS, folder->files[i].id, arena, &mounts, &n))
			continue;
		for (size_t j = 0; j < n; j++)
			id_table_add(verify, &verify->mounts, mounts[j]->mnt_id, 0);
	}
}

/* ---- images that refer to files ---- */

static void check_queued(struct verify *verify, enum img_kind kind, const struct id_table *owners,
			 const char *owner)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	cleanup_image struct image image = IMAGE_INIT;
	ProtobufCMessage *record = NULL;

	arena_init(&arena, ARENA_LIMIT);
	if (!folder_find(&verify->folder, kind, 0) ||
	    image_open(&image, verify->dirfd, kind, 0, NULL) < 0)
		return; /* damage was told when it was decoded first */
	while (image_read(&image, &arena, &record, NULL) > 0) {
		uint32_t id = kind == IMG_KIND_SK_QUEUES ? ((const SkPacketEntry *)record)->id_for
							 : ((const PipeDataEntry *)record)->pipe_id;

		if (!id_table_find(owners, id))
			verify_found(verify, "%s: record %zu: %s %#x is missing", image.name,
				     image.index - 1, owner, id);
	}
}

static void check_remaps(struct verify *verify, struct arena *arena)
{
	RemapFilePathEntry **remaps = NULL;
	size_t n = 0;

	if (!verify_read(verify, IMG_KIND_REMAP_FPATH, 0, arena, &remaps, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		const RemapFilePathEntry *remap = remaps[i];
		bool ghost = remap->has_remap_type ? remap->remap_type == REMAP_TYPE__GHOST
						   : (remap->remap_id & REMAP_GHOST) != 0;
		uint32_t id = remap->remap_id & ~REMAP_GHOST;

		if (!id_table_find(&verify->files, remap->orig_id))
			verify_found(verify, "remap-fpath.img: record %zu: file %#x is missing", i,
				     remap->orig_id);
		if (ghost && !folder_find(&verify->folder, IMG_KIND_GHOST_FILE, id))
			verify_found(verify, "ghost-file-%x.img: is missing, and file %#x needs it",
				     id, remap->orig_id);
	}
}

void verify_files(struct verify *verify)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	FileEntry **files = NULL;
	size_t n = 0;

	arena_init(&arena, ARENA_LIMIT);
	read_memfds(verify, &arena);
	read_terminals(verify, &arena);
	read_filters(verify, &arena);
	read_cgroup_sets(verify, &arena);
	read_mounts(verify, &arena);
	(void)verify_read(verify, IMG_KIND_FILES, 0, &arena, &files, &n);
	for (size_t i = 0; i < n; i++)
		add_file(verify, files[i]);
	id_table_seal(&verify->memfds);
	id_table_seal(&verify->terminals);
	id_table_seal(&verify->filters);
	id_table_seal(&verify->cgroup_sets);
	id_table_seal(&verify->mounts);
	id_table_seal(&verify->files);
	id_table_seal(&verify->pipes);
	for (size_t i = 1; i < verify->files.n; i++)
		if (verify->files.rows[i].id == verify->files.rows[i - 1].id)
			verify_found(verify, "files.img: file %#llx: is there twice",
				     (unsigned long long)verify->files.rows[i].id);
	for (size_t i = 0; i < n; i++)
		check_file(verify, files[i]);
	check_queued(verify, IMG_KIND_PIPES_DATA, &verify->pipes, "pipe");
	check_queued(verify, IMG_KIND_FIFO_DATA, &verify->pipes, "fifo");
	check_queued(verify, IMG_KIND_SK_QUEUES, &verify->files, "socket");
	check_remaps(verify, &arena);
}
