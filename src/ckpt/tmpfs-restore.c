/*
 * tmpfs-restore: a tmpfs and its files, out of tmpfs-dev-N.tar.gz.img.
 *
 * M makes the file system without a place (fsmount) and unpacks the archive
 * into it; R inherits the descriptor and mounts it. So a damaged archive is
 * found before any process exists. Names can't lead out: libarchive refuses
 * absolute ones, "..", and to follow symlinks.
 */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/mount-restore.h"
#include "ckpt/restore-priv.h"
#include "img/kind.h"

#define UNPACK_FLAGS                                                                               \
	(ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |                     \
	 ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_FFLAGS |                    \
	 ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS |                       \
	 ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS)

#define BLOCK 65536

static void read_freep(struct archive **a)
{
	(void)archive_read_free(*a);
}

static void write_freep(struct archive **a)
{
	(void)archive_write_free(*a);
}

static int fail(struct archive *a, const char *what, struct error *err)
{
	int code = archive_errno(a);

	return err_set(err, code > 0 ? -code : -EBADMSG, "%s: %s", what, archive_error_string(a));
}

static int copy_data(struct archive *in, struct archive *out, struct error *err)
{
	const void *block = NULL;
	la_int64_t offset;
	size_t len;
	int ret;

	while ((ret = archive_read_data_block(in, &block, &len, &offset)) == ARCHIVE_OK)
		if (archive_write_data_block(out, block, len, offset) < ARCHIVE_WARN)
			return fail(out, "write", err);
	return ret == ARCHIVE_EOF ? 0 : fail(in, "read", err);
}

/* Into the working folder. */
static int unpack(int fd, struct error *err)
{
	__attribute__((cleanup(read_freep))) struct archive *in = archive_read_new();
	__attribute__((cleanup(write_freep))) struct archive *out = archive_write_disk_new();
	struct archive_entry *entry = NULL;
	int ret;

	if (!in || !out)
		return err_oom(err);
	archive_read_support_filter_all(in);
	archive_read_support_format_tar(in);
	archive_write_disk_set_options(out, UNPACK_FLAGS);
	if (archive_read_open_fd(in, fd, BLOCK) != ARCHIVE_OK)
		return fail(in, "open", err);
	while ((ret = archive_read_next_header(in, &entry)) == ARCHIVE_OK) {
		if (archive_write_header(out, entry) < ARCHIVE_WARN)
			return fail(out, archive_entry_pathname(entry), err);
		ret = copy_data(in, out, err);
		if (ret < 0)
			return ret;
		if (archive_write_finish_entry(out) < ARCHIVE_WARN)
			return fail(out, archive_entry_pathname(entry), err);
	}
	if (ret != ARCHIVE_EOF)
		return fail(in, "read", err);
	return archive_write_close(out) < ARCHIVE_WARN ? fail(out, "finish", err) : 0;
}

int tmpfs_archive(const struct restore *r, const MntEntry *m, struct error *err)
{
	char name[IMG_NAME_MAX];
	int fd;

	img_kind_file_name(IMG_KIND_TMPFS_DEV, m->root_dev, name);
	fd = openat(r->opts->images_dir, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open '%s'", name) : fd;
}

int tmpfs_unpack(int archive, int mount, struct error *err)
{
	cleanup_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mode_t mask;
	int ret;

	if (here < 0)
		return err_sys(err, "open working folder");
	if (fchdir(mount) < 0)
		return err_sys(err, "enter new tmpfs");
	mask = umask(0);
	ret = unpack(archive, err);
	(void)umask(mask);
	if (fchdir(here) < 0 && ret >= 0)
		ret = err_sys(err, "return to working folder");
	return ret < 0 ? err_wrap(err, ret, "its archive") : 0;
}

static int set_option(int fs, const char *key, const char *value, struct error *err)
{
	if (syscall(SYS_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value,
		    0) < 0)
		return err_sys(err, "mount option %s%s%s", key, value ? "=" : "",
			       value ? value : "");
	return 0;
}

static int set_options(struct restore *r, int fs, const MntEntry *m, struct error *err)
{
	char *rest = arena_strdup(&r->arena, m->options);
	char *value = NULL;
	char *key;
	int ret = set_option(fs, "source", m->source, err);

	if (!rest)
		return err_oom(err);
	while (ret >= 0 && (key = mount_next_option(&rest, &value)))
		ret = set_option(fs, key, value, err);
	return ret;
}

static int make_read_only(int mount, struct error *err)
{
	cleanup_fd int fs = (int)syscall(SYS_fspick, mount, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);

	if (fs < 0)
		return err_sys(err, "make it read-only");
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return err_sys(err, "make it read-only");
	return 0;
}

static int make(struct restore *r, const MntEntry *m, struct error *err)
{
	cleanup_fd int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	cleanup_fd int mount = -EBADF;
	cleanup_fd int archive = -EBADF;
	int ret;

	if (fs < 0)
		return err_sys(err, "make a tmpfs");
	ret = set_options(r, fs, m, err);
	if (ret < 0)
		return ret;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make a tmpfs");
	mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0)
		return err_sys(err, "make a tmpfs");
	archive = tmpfs_archive(r, m, err);
	ret = archive < 0 ? archive : tmpfs_unpack(archive, mount, err);
	if (ret >= 0 && m->has_sb_flags && m->sb_flags & MS_RDONLY)
		ret = make_read_only(mount, err);
	return ret < 0 ? ret : fd_stage_consume(r, take_fd(&mount), err);
}

int tmpfs_make(struct restore *r, const MntEntry *mount, struct error *err)
{
	int ret = make(r, mount, err);

	return ret < 0 ? err_wrap(err, ret, "tmpfs '%s'", mount->mountpoint) : ret;
}
