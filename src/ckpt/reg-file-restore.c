/*
 * reg-file-restore: files opened by a path: regular ones, folders, devices.
 *
 * A file that had no name any more (a ghost) is made again under its old name,
 * or a similar one if that is taken, and loses it at once. Then it is filled
 * from ghost-file-ID.img, and opened as often as needed through /proc/self/fd.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/path.h"
#include "ckpt/file-restore.h"
#include "ckpt/mount-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/ghost-file.pb-c.h"
#include "img/pb/remap-file-path.pb-c.h"

/* Not status flags, or of no use for an existing file. */
#define OPEN_ONCE_FLAGS (O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC)

int ghosts_load(struct restore *r, struct error *err)
{
	RemapFilePathEntry **remaps = NULL;
	size_t n = 0;
	int ret = image_read_all(r->opts->images_dir, IMG_KIND_REMAP_FPATH, 0, &r->arena, &remaps,
				 &n, NULL);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return image_read_all(r->opts->images_dir, IMG_KIND_REMAP_FPATH, 0, &r->arena,
				      &remaps, &n, err); /* tell it */
	r->ghosts = calloc(n ? n : 1, sizeof(*r->ghosts));
	if (!r->ghosts)
		return err_oom(err);
	for (size_t i = 0; i < n; i++) {
		struct rfile *file = files_find(r, remaps[i]->orig_id);
		size_t g = 0;

		if (!file || !file->entry->reg)
			return err_set(err, -EBADMSG, "remap-fpath.img: file %u is unknown",
				       remaps[i]->orig_id);
		if (remaps[i]->remap_type == REMAP_TYPE__LINKED) {
			const struct rfile *link = files_find(r, remaps[i]->remap_id);

			if (!link || !link->entry->reg || link->entry->reg->name[0] != '/')
				return err_set(err, -EBADMSG, "remap-fpath.img: file %u is unknown",
					       remaps[i]->remap_id);
			file->link = link->entry->reg->name;
			continue;
		}
		if (remaps[i]->remap_type == REMAP_TYPE__PROCFS) {
			file->procfs_pid = remaps[i]->remap_id;
			continue;
		}
		if (remaps[i]->remap_type != REMAP_TYPE__GHOST)
			return err_set(err, -EOPNOTSUPP,
				       "file '%s': renamed or process files can't be rebuilt yet",
				       file->entry->reg->name);
		while (g < r->n_ghosts && r->ghosts[g].id != remaps[i]->remap_id)
			g++;
		if (g == r->n_ghosts)
			r->ghosts[r->n_ghosts++].id = remaps[i]->remap_id;
		file->ghost = remaps[i]->remap_id;
	}
	return 0;
}

/* A descriptor of the playing task as a path in /proc. */
#define FD_LINK_MAX 32

static const char *fd_link(int fd, char link[FD_LINK_MAX])
{
	snprintf(link, FD_LINK_MAX, "self/fd/%d", fd);
	return link;
}

enum ghost_state { GHOST_NAMED = 1, GHOST_NAMELESS };

/* Does the tree have that path now? What M can't see, it has not. */
static bool path_taken(const struct restore *r, const RegFileEntry *reg, const char *path)
{
	cleanup_fd int fd = -EBADF;
	struct mount_view view;

	if (mount_peek(r, reg->has_mnt_id, reg->mnt_id, path, &view)) {
		fd = path_open_in_root(view.fd, view.path, O_PATH | O_NOFOLLOW, 0, NULL);
	} else if (!r->new_mnt_ns) {
		cleanup_fd int root =
			open(r->opts->root ? r->opts->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (root >= 0)
			fd = path_open_in_root(root, path, O_PATH | O_NOFOLLOW, 0, NULL);
	}
	return fd >= 0;
}

/* Where the search for a folder ends: its file system is not left. */
static bool is_top(const struct restore *r, const RegFileEntry *reg, const char *folder)
{
	struct mount_view view;

	if (!*folder)
		return true;
	if (!r->new_mnt_ns || !reg->has_mnt_id)
		return false;
	return !mount_peek(r, true, reg->mnt_id, folder, &view) ||
	       strcmp(folder, view.mountpoint) == 0;
}

/*
 * Where a ghost has its name for a moment: under its own, beside it if that is
 * taken, or in the nearest folder that is still there if its own is gone too.
 */
static char *ghost_path(struct restore *r, const RegFileEntry *reg, uint32_t id)
{
	char *folder = arena_strdup(&r->arena, reg->name);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	bool moved = false;

	if (!slash)
		return folder;
	for (*slash = 0; !is_top(r, reg, folder) && !path_taken(r, reg, folder); *slash = 0) {
		moved = true;
		slash = strrchr(folder, '/');
	}
	if (moved)
		return arena_printf(&r->arena, "%s/%s.cryo-%x", folder, strrchr(reg->name, '/') + 1,
				    id);
	return path_taken(r, reg, reg->name) ? arena_printf(&r->arena, "%s.cryo-%x", reg->name, id)
					     : arena_strdup(&r->arena, reg->name);
}

/* The image's bytes from here to its end, or its chunks, into the new file. */
static int tape_fill(struct restore *r, struct tape *tape, uint32_t slot, struct image *image,
		     const GhostFileEntry *ghost, const char *path, struct error *err)
{
	bool chunks = ghost->has_chunks && ghost->chunks;
	uint64_t left = image_left(image);
	GhostChunkEntry *chunk = NULL;
	int source;
	int ret;

	if (!chunks && left == 0)
		return 0;
	source = openat(r->opts->images_dir, image->name, O_RDONLY | O_CLOEXEC);
	if (source < 0)
		return err_sys(err, "open '%s'", image->name);
	source = fd_stage_consume(r, source, err);
	if (source < 0)
		return source;
	if (chunks)
		tape_call(tape, SYS_ftruncate, TAPE_ARGS(tape_slot(slot), tape_imm(ghost->size)),
			  "size of deleted file '%s'", path);
	for (;;) {
		uint64_t at = image->size - image_left(image);
		uint64_t length = left;
		uint64_t offset;
		uint32_t entry;

		if (chunks) {
			ret = image_read(image, &r->arena, &chunk, err);
			if (ret <= 0)
				return ret;
			at = image->size - image_left(image);
			length = chunk->len;
			if (length > image_left(image) || chunk->off > INT64_MAX - length)
				return err_set(err, -EBADMSG, "%s: chunk beyond the end",
					       image->name);
			tape_call(tape, SYS_lseek,
				  TAPE_ARGS(tape_slot(slot), tape_imm(chunk->off),
					    tape_imm(SEEK_SET)),
				  "content of deleted file '%s'", path);
		}
		if (length > 0x7ffff000)
			return err_set(err, -EOPNOTSUPP, "%s: deleted file of over 2 GiB",
				       image->name);
		offset = area_add(&r->area, &at, sizeof(at));
		entry = tape_call(tape, SYS_sendfile,
				  TAPE_ARGS(tape_slot(slot), tape_imm((uint64_t)source),
					    tape_at(offset), tape_imm(length)),
				  "content of deleted file '%s'", path);
		tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)length);
		if (!chunks)
			return 0;
		ret = image_skip_raw(image, length, err);
		if (ret < 0)
			return ret;
	}
}

/* The file has its name only until it is held by a descriptor: nothing of it may be left if
 * this goes no further. */
static int tape_new_ghost(struct restore *r, struct tape *tape, struct rghost *ghost,
			  const RegFileEntry *reg, const GhostFileEntry *entry, struct error *err)
{
	bool folder = S_ISDIR(entry->mode);
	struct tape_arg dir;
	const char *place;
	uint64_t path;
	uint32_t slot;
	int ret;

	ghost->path = ghost_path(r, reg, ghost->id);
	if (!ghost->path)
		return err_oom(err);
	ret = mount_place(r, reg->has_mnt_id, reg->mnt_id, ghost->path, &dir, &place, err);
	if (ret < 0)
		return ret;
	ghost->anchor = fd_stage(r, err);
	if (ghost->anchor < 0)
		return ghost->anchor;
	ghost->state = area_add_word(&r->area);
	ghost->stat_at = area_alloc(&r->area, sizeof(struct stat), 8);
	path = area_add_string(&r->area, place);
	if (folder)
		tape_call(tape, SYS_mkdirat, TAPE_ARGS(dir, tape_at(path), tape_imm(0700)),
			  "making deleted folder '%s' again", ghost->path);
	else if (S_ISLNK(entry->mode))
		tape_call(tape, SYS_symlinkat,
			  TAPE_ARGS(tape_at(area_add_string(&r->area, entry->symlnk_target)), dir,
				    tape_at(path)),
			  "making deleted link '%s' again", ghost->path);
	else
		tape_call(tape, SYS_mknodat,
			  TAPE_ARGS(dir, tape_at(path), tape_imm((entry->mode & S_IFMT) | 0600),
				    tape_imm(entry->has_rdev ? entry->rdev : 0)),
			  "making deleted file '%s' again", ghost->path);
	tape_op(tape, PIE_OP_STORE32, TAPE_ARGS(tape_at(ghost->state), tape_imm(GHOST_NAMED)),
		"'%s' is there", ghost->path);
	slot = tape_call(tape, SYS_openat,
			 TAPE_ARGS(dir, tape_at(path), tape_imm(O_PATH | O_NOFOLLOW)),
			 "holding '%s'", ghost->path);
	tape_call(tape, SYS_fstat, TAPE_ARGS(tape_slot(slot), tape_at(ghost->stat_at)),
		  "holding '%s'", ghost->path);
	tape_call(tape, SYS_unlinkat,
		  TAPE_ARGS(dir, tape_at(path), tape_imm(folder ? AT_REMOVEDIR : 0)),
		  "removing '%s' again", ghost->path);
	tape_op(tape, PIE_OP_STORE32, TAPE_ARGS(tape_at(ghost->state), tape_imm(GHOST_NAMELESS)),
		"'%s' is gone", ghost->path);
	fd_tape_stage(tape, slot, ghost->anchor);
	return 0;
}

static struct timespec timespec_of(const Timeval *time)
{
	return (struct timespec){ .tv_sec = (time_t)time->tv_sec,
				  .tv_nsec = (long)time->tv_usec * 1000 };
}

/* Images of older CRIU tell no times. */
static void tape_times(struct restore *r, struct tape *tape, uint64_t anchor,
		       const struct rghost *ghost, const GhostFileEntry *entry)
{
	struct timespec times[2];

	if (!entry->atim || !entry->mtim)
		return;
	times[0] = timespec_of(entry->atim);
	times[1] = timespec_of(entry->mtim);
	tape_call(tape, SYS_utimensat,
		  TAPE_ARGS(tape_imm((uint64_t)r->proc_fd), tape_at(anchor),
			    tape_at(area_add(&r->area, times, sizeof(times))), tape_imm(0)),
		  "times of '%s'", ghost->path);
}

static int tape_make_ghost(struct restore *r, struct tape *tape, struct rghost *ghost,
			   const RegFileEntry *reg, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	GhostFileEntry *entry = NULL;
	uint64_t anchor;
	uint32_t slot;
	int ret = image_open(&image, r->opts->images_dir, IMG_KIND_GHOST_FILE, ghost->id, err);

	if (ret >= 0)
		ret = image_read(&image, &r->arena, &entry, err);
	if (ret == 0)
		ret = err_set(err, -EBADMSG, "%s: empty", image.name);
	if (ret < 0)
		return ret;
	if (!S_ISREG(entry->mode) && !S_ISDIR(entry->mode) && !S_ISFIFO(entry->mode) &&
	    !S_ISCHR(entry->mode) && !(S_ISLNK(entry->mode) && entry->symlnk_target))
		return err_set(err, -EOPNOTSUPP, "file '%s': a deleted file of type %#o", reg->name,
			       entry->mode & S_IFMT);
	ret = tape_new_ghost(r, tape, ghost, reg, entry, err);
	if (ret < 0)
		return ret;
	anchor = area_add_string(&r->area, fd_link(ghost->anchor, (char[FD_LINK_MAX]){ 0 }));
	if (S_ISREG(entry->mode)) {
		slot = tape_call(tape, SYS_openat,
				 TAPE_ARGS(tape_imm((uint64_t)r->proc_fd), tape_at(anchor),
					   tape_imm(O_WRONLY)),
				 "open '%s'", ghost->path);
		ret = tape_fill(r, tape, slot, &image, entry, ghost->path, err);
		if (ret < 0)
			return ret;
		tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(slot)), "close '%s'", ghost->path);
	}
	tape_call(tape, SYS_fchownat,
		  TAPE_ARGS(tape_imm((uint64_t)r->proc_fd), tape_at(anchor), tape_imm(entry->uid),
			    tape_imm(entry->gid)),
		  "owner of '%s'", ghost->path);
	if (!S_ISLNK(entry->mode)) /* links have none */
		tape_call(tape, SYS_fchmodat,
			  TAPE_ARGS(tape_imm((uint64_t)r->proc_fd), tape_at(anchor),
				    tape_imm(entry->mode & 07777)),
			  "mode of '%s'", ghost->path);
	tape_times(r, tape, anchor, ghost, entry);
	return 0;
}

/* Some file that it is. ghosts_load() made it for one. */
static const RegFileEntry *ghost_file(const struct restore *r, const struct rghost *ghost)
{
	size_t i = 0;

	while (r->files[i].ghost != ghost->id)
		i++;
	return r->files[i].entry->reg;
}

int ghost_anchor(struct restore *r, uint32_t dev, uint64_t ino, int *ret_staging, struct error *err)
{
	for (size_t i = 0; i < r->n_ghosts; i++) {
		struct rghost *ghost = &r->ghosts[i];
		int ret = 0;

		if (!ghost->known) {
			GhostFileEntry *entry = NULL;

			ret = image_read_one(r->opts->images_dir, IMG_KIND_GHOST_FILE, ghost->id,
					     &r->arena, &entry, err);
			if (ret < 0)
				return ret;
			ghost->known = true;
			ghost->dev = entry->dev;
			ghost->ino = entry->ino;
		}
		if (ghost->ino != ino || ghost->dev != dev)
			continue;
		if (!ghost->path)
			ret = tape_make_ghost(r, r->root->build, ghost, ghost_file(r, ghost), err);
		*ret_staging = ghost->anchor;
		return ret < 0 ? ret : 1;
	}
	return 0;
}

/* After a failure, in M: one whose name is still there is removed, if it is the one made. */
void ghosts_undo(const struct restore *r)
{
	cleanup_fd int root =
		open(r->opts->root ? r->opts->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; root >= 0 && i < r->n_ghosts; i++) {
		const struct rghost *ghost = &r->ghosts[i];
		cleanup_free char *folder = NULL;
		cleanup_fd int dir = -EBADF;
		const struct stat *made = NULL;
		struct stat now;
		char *name = NULL;

		if (!ghost->path ||
		    *(const uint32_t *)((const char *)r->live + ghost->state) != GHOST_NAMED)
			continue;
		made = (const struct stat *)((const char *)r->live + ghost->stat_at);
		folder = strdup(ghost->path);
		name = folder ? strrchr(folder, '/') : NULL;
		if (!name)
			continue;
		*name++ = 0;
		dir = path_open_in_root(root, *folder ? folder : "/", O_PATH | O_DIRECTORY, 0,
					NULL);
		if (dir < 0 || fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* Where mounts are the tree's own, the path may mean another file here. */
		if (made->st_ino ? made->st_ino == now.st_ino && made->st_dev == now.st_dev
				 : !r->new_mnt_ns)
			(void)unlinkat(dir, name, S_ISDIR(now.st_mode) ? AT_REMOVEDIR : 0);
	}
}

int reg_file_open(struct restore *r, struct tape *tape, struct rfile *file, uint32_t flags,
		  uint32_t *ret_slot, struct error *err)
{
	const RegFileEntry *reg = file->entry->reg;
	struct tape_arg dir = tape_imm((uint64_t)AT_FDCWD);
	const char *path = file->link ? file->link : reg->name;
	char link[FD_LINK_MAX];
	int ret;

	if (path[0] != '/')
		return err_set(err, -EBADMSG, "path '%s' is not absolute", path);
	ret = mount_place(r, reg->has_mnt_id, reg->mnt_id, path, &dir, &path, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; file->ghost && i < r->n_ghosts; i++) {
		struct rghost *ghost = &r->ghosts[i];

		ret = 0;
		if (ghost->id != file->ghost)
			continue;
		if (!ghost->path)
			ret = tape_make_ghost(r, tape, ghost, reg, err);
		if (ret < 0)
			return ret;
		dir = tape_imm((uint64_t)r->proc_fd);
		path = fd_link(ghost->anchor, link);
		/* That is a symlink to the file, which was opened with it without being one. */
		flags &= ~(uint32_t)O_NOFOLLOW;
	}
	*ret_slot = tape_call(tape, SYS_openat,
			      TAPE_ARGS(dir, tape_at(area_add_string(&r->area, path)),
					tape_imm((flags & ~(uint32_t)OPEN_ONCE_FLAGS) | O_NOCTTY)),
			      "open '%s'", reg->name);
	if (!file->stat_at && !(flags & O_PATH) && (reg->has_size || reg->has_mode)) {
		file->stat_at = area_alloc(&r->area, sizeof(struct stat), 8);
		tape_call(tape, SYS_fstat, TAPE_ARGS(tape_slot(*ret_slot), tape_at(file->stat_at)),
			  "look at '%s'", reg->name);
	}
	return 0;
}

int reg_file_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const RegFileEntry *reg = file->entry->reg;
	uint32_t stand_in = 0;
	uint64_t word = 0;
	uint32_t slot = 0;
	int ret;

	if (!reg)
		return err_set(err, -EBADMSG, "files.img: file %u has no record", file->entry->id);
	ret = inherit_file(r, file, reg->ext || reg->name[0] != '/' ? reg->name : reg->name + 1,
			   err);
	if (ret)
		return ret < 0 ? ret : 0;
	if (reg->ext)
		return err_set(
			err, -EINVAL,
			"external file '%s': no descriptor was handed over for it (--inherit-fd)",
			reg->name);
	if (born_is_late(r, file)) {
		born_stage(r, file);
		return 0;
	}
	if (file->procfs_pid) {
		ret = born_tape_stand_in(r, tape, file->procfs_pid, &stand_in, &word, err);
		if (ret < 0)
			return ret;
	}
	ret = reg_file_open(r, tape, file, reg->flags, &slot, err);
	if (ret >= 0 && file->procfs_pid)
		born_tape_gone(tape, stand_in, word);
	if (ret < 0)
		return ret;
	file->staging = fd_stage(r, err);
	if (file->staging < 0)
		return file->staging;
	if (reg->pos && !(reg->flags & O_PATH)) {
		uint32_t entry = tape_call(
			tape, SYS_lseek,
			TAPE_ARGS(tape_slot(slot), tape_imm(reg->pos), tape_imm(SEEK_SET)),
			"position %" PRIu64 " of '%s'", reg->pos, reg->name);

		tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)reg->pos);
	}
	fd_tape_stage(tape, slot, file->staging);
	return 0;
}
