/*
 * file: regular files, directories, symlinks opened with O_PATH and the memory
 * devices (/dev/null and its like), all saved by name.
 *
 * The name is what d_path(9) says for the open description. It is checked
 * against the tree's root before it is believed: a file that was deleted is
 * carried in the images (a "ghost"), one whose name was reused, or lies under
 * a later mount, is refused.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/ghost.h"
#include "ckpt/link-remap.h"
#include "ckpt/mnt.h"
#include "img/pb/remap-file-path.pb-c.h"

#define DELETED " (deleted)"
#define DEVPTS_MAGIC 0x1cd1

static bool cut_deleted(char *path)
{
	size_t len = strlen(path);
	size_t n = strlen(DELETED);

	if (len <= n || strcmp(path + len - n, DELETED))
		return false;
	path[len - n] = '\0';
	return true;
}

int file_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err)
{
	uint64_t limit = opts->ghost_limit ? opts->ghost_limit : GHOST_LIMIT;
	uint64_t size = (uint64_t)look->st.st_blocks * 512;
	int r;

	if (look->st.st_nlink)
		return 0;
	/* What a restore would have to make under a name that others may see, or can't make. */
	if (S_ISBLK(look->st.st_mode) || S_ISSOCK(look->st.st_mode))
		return err_set(
			err, -EOPNOTSUPP,
			"%s: '%s' is deleted, and no file or folder: this version can't save it",
			look->where, look->link);
	if (!S_ISREG(look->st.st_mode) || size <= limit)
		return 0;
	r = err_set(err, -EOPNOTSUPP,
		    "%s: deleted file '%s' has %" PRIu64 " bytes, the limit is %" PRIu64,
		    look->where, look->link, size, limit);
	err_hint(err, "raise the limit with --ghost-limit %" PRIu64, size);
	return r;
}

static int write_remap(struct dump *dump, const RemapFilePathEntry *entry, struct error *err)
{
	if (dump->remaps.fd < 0) {
		int r = dump_image_create(dump, &dump->remaps, IMG_KIND_REMAP_FPATH, 0, err);

		if (r < 0)
			return r;
	}
	return image_write(&dump->remaps, &entry->base, err);
}

static int save_ghost(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	RemapFilePathEntry entry = REMAP_FILE_PATH_ENTRY__INIT;
	uint32_t ghost_id;
	int r;

	r = file_check(dump->opts, &fd->look, err);
	if (r < 0)
		return r;
	r = ghost_dump(dump, fd->fd, &fd->look.st, &ghost_id, err);
	if (r < 0)
		return err_wrap(err, r, "%s: deleted file '%s'", fd->look.where, fd->look.link);
	entry.orig_id = fd->id;
	entry.remap_id = ghost_id;
	entry.has_remap_type = true;
	entry.remap_type = REMAP_TYPE__GHOST;
	return write_remap(dump, &entry, err);
}

/* The name led nowhere, or to another file: `lost` says so. */
static int find_other_name(struct dump *dump, const struct dump_fd *fd, char **path,
			   const struct error *lost, struct error *err)
{
	int r = 0;

	if (S_ISREG(fd->look.st.st_mode))
		r = dump_other_name(dump, fd->mnt_id, *path, &fd->look.st, path, err);
	if (r == 0 && dump->opts->link_remap && S_ISREG(fd->look.st.st_mode))
		return link_remap_dump(dump, fd, *path, err);
	if (r == 0 && err)
		*err = *lost;
	return r == 0 ? lost->code : r < 0 ? r : 0;
}

/* The name may lead to it through another mount, which lies over the one it was opened on. */
static int check_mount(const struct dump *dump, const struct dump_fd *fd, const char *path,
		       int found, struct error *err)
{
	struct statx stx;

	if (!dump->ns[DUMP_NS_MNT].other ||
	    statx(found, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 ||
	    !(stx.stx_mask & STATX_MNT_ID) || stx.stx_mnt_id == (uint64_t)fd->mnt_id)
		return 0;
	return err_set(err, -EOPNOTSUPP, "%s: something is mounted over the mount of '%s'",
		       fd->look.where, path);
}

/* Does the tree still find that file by its name, or by another one? */
static int check_name(struct dump *dump, const struct dump_fd *fd, char **ret_path,
		      struct error *err)
{
	const char *path = *ret_path;
	struct error lost = ERROR_INIT;
	cleanup_fd int found = -EBADF;
	const struct stat *st = &fd->look.st;
	struct stat now;

	found = dump_open_path_on(dump, fd->mnt_id, path, O_PATH | O_NOFOLLOW, NULL);
	if (found == -ENOENT || found == -ENOTDIR) {
		(void)err_set(&lost, -EOPNOTSUPP,
			      "%s: file '%s' has lost that name but has others, in other folders",
			      fd->look.where, path);
		err_hint(&lost, "%s", "--link-remap gives it another name until it is restored");
		return find_other_name(dump, fd, ret_path, &lost, err);
	}
	if (found == -ELOOP && S_ISLNK(st->st_mode))
		return 0;
	if (found < 0)
		return err_set(err, found, "%s: look up '%s': %s", fd->look.where, path,
			       strerror(-found));
	if (fstat(found, &now) < 0)
		return err_sys(err, "%s: stat '%s'", fd->look.where, path);
	if (now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		return check_mount(dump, fd, path, found, err);
	if (dump->opts->evasive_devices && S_ISCHR(st->st_mode) && S_ISCHR(now.st_mode) &&
	    now.st_rdev == st->st_rdev)
		return 0;
	(void)err_set(&lost, -EOPNOTSUPP, "%s: '%s' is now another file than the open one",
		      fd->look.where, path);
	err_hint(&lost, S_ISCHR(st->st_mode)
				? "--evasive-devices takes any device of the same number"
				: "something was mounted over it, or the name was reused; in the "
				  "latter case --link-remap gives it another one");
	return find_other_name(dump, fd, ret_path, &lost, err);
}

/* "/proc/6/mountinfo", of a process that is gone: another one stands in for it on restore. */
static int save_gone(struct dump *dump, const struct dump_fd *fd, char *path, struct error *err)
{
	RemapFilePathEntry entry = REMAP_FILE_PATH_ENTRY__INIT;
	const char *p = path;
	uint32_t pid;

	(void)cut_deleted(path);
	if (!scan_literal(&p, "/proc/") || !scan_u32(&p, 10, &pid) || (*p && *p != '/'))
		return err_set(err, -EOPNOTSUPP, "%s: file '%s' of a process that is gone",
			       fd->look.where, path);
	entry.orig_id = fd->id;
	entry.remap_id = pid;
	entry.has_remap_type = true;
	entry.remap_type = REMAP_TYPE__PROCFS;
	return write_remap(dump, &entry, err);
}

static int check_proc_name(struct dump *dump, const struct dump_fd *fd, char *path,
			   struct error *err)
{
	cleanup_fd int found = -EBADF;

	found = dump_open_path_on(dump, fd->mnt_id, path, O_PATH | O_NOFOLLOW, NULL);
	return found >= 0 || found == -ELOOP ? 0 : save_gone(dump, fd, path, err);
}

static int check_path(struct dump *dump, const struct dump_fd *fd, char **ret_path,
		      struct error *err)
{
	char *path = *ret_path;
	bool deleted;

	if (fd->look.fs_type == PROC_SUPER_MAGIC)
		return check_proc_name(dump, fd, path, err);
	if (fd->look.fs_type == DEVPTS_MAGIC) {
		(void)cut_deleted(path);
		return 0;
	}
	if (fd->look.st.st_nlink == 0) {
		(void)cut_deleted(path);
		return save_ghost(dump, fd, err);
	}
	deleted = cut_deleted(path);
	/* overlayfs: a deleted file of a lower layer keeps its link count. */
	if (deleted && fd->look.fs_type == OVERLAYFS_SUPER_MAGIC)
		return save_ghost(dump, fd, err);
	return check_name(dump, fd, ret_path, err);
}

static int write_entry(struct dump *dump, RegFileEntry *reg, struct error *err)
{
	FileEntry file = FILE_ENTRY__INIT;

	file.type = FD_TYPES__REG;
	file.id = reg->id;
	file.reg = reg;
	return image_write(&dump->files, &file.base, err);
}

int file_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	char key[64];
	char *path;
	int r;

	reg.id = fd->id;
	reg.flags = fd->flags;
	/* It is no temporary file any more that opening makes, but this one. */
	if ((fd->flags & O_TMPFILE) == O_TMPFILE)
		reg.flags &= ~(uint32_t)O_TMPFILE;
	reg.pos = fd->pos;
	reg.fown = (FownEntry *)&fd->fown;
	reg.has_mode = true;
	reg.mode = fd->look.st.st_mode;

	(void)snprintf(key, sizeof(key), "%x:%" PRIx64, (unsigned int)fd->mnt_id,
		       (uint64_t)fd->look.st.st_ino); /* always fits */
	if (externals_find(&dump->externals, "file", key)) {
		reg.name = arena_printf(&dump->arena, "file[%s]", key);
		reg.has_ext = true;
		reg.ext = true;
		return reg.name ? write_entry(dump, &reg, err) : err_oom(err);
	}

	path = arena_strdup(&dump->arena, fd->look.link);
	if (!path)
		return err_oom(err);
	if (dump->ns[DUMP_NS_MNT].other) {
		if (!mnt_find(dump, fd->mnt_id, NULL)) {
			r = err_set(err, -EOPNOTSUPP,
				    "%s: file '%s' lies outside of the container's mounts",
				    fd->look.where, path);
			err_hint(err,
				 "--external file[%s] keeps it outside; give it back on "
				 "restore with --inherit-fd",
				 key);
			return r;
		}
		reg.has_mnt_id = true;
		reg.mnt_id = fd->mnt_id;
	}
	r = check_path(dump, fd, &path, err);
	if (r < 0)
		return r;
	reg.name = path;
	/* A file that is only read must be the same one on restore. */
	if (S_ISREG(fd->look.st.st_mode) && (fd->flags & O_ACCMODE) == O_RDONLY &&
	    fd->look.st.st_nlink && fd->look.fs_type != PROC_SUPER_MAGIC &&
	    fd->look.fs_type != SYSFS_MAGIC) {
		reg.has_size = true;
		reg.size = (uint64_t)fd->look.st.st_size;
	}
	log_debug("%s: file %u '%s' pos %" PRIu64, fd->look.where, fd->id, path, fd->pos);
	return write_entry(dump, &reg, err);
}
