#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "store/unpack-priv.h"

#define XATTR_OPAQUE "trusted.overlay.opaque"

/* --- attributes ------------------------------------------------------------- */

/*
 * overlayfs would obey its own attributes: a redirect to any folder, a file
 * whose data is another's. They never come from outside. Labels of security
 * modules are this machine's business, capabilities are the file's.
 */
static bool xattr_is_taken(const char *name)
{
	if (strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0)
		return false;
	if (strncmp(name, "security.", 9) == 0)
		return strcmp(name, "security.capability") == 0;
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0;
}

/* `path` NULL: on the descriptor; else it names the object itself, symlink or not. */
static int set_xattr(int fd, const char *path, const char *name, const void *value, size_t len,
		     struct error *err)
{
	int r = path ? lsetxattr(path, name, value, len, 0) : fsetxattr(fd, name, value, len, 0);

	if (r == 0)
		return 0;
	if (strncmp(name, "user.", 5) == 0 && (errno == EPERM || errno == EOPNOTSUPP)) {
		/* not possible on symlinks and devices, nor on some file systems */
		log_debug("attribute '%s' left out: %s", name, strerror(errno));
		return 0;
	}
	return err_sys(err, "set attribute '%.100s'", name);
}

static int set_xattrs(struct archive_entry *raw, int fd, const char *path, struct error *err)
{
	const char *name;
	const void *value;
	size_t total = 0;
	size_t len;
	int r;

	(void)archive_entry_xattr_reset(raw);
	while (archive_entry_xattr_next(raw, &name, &value, &len) == ARCHIVE_OK) {
		total += len;
		if (total > UNPACK_MAX_XATTRS)
			return err_set(err, -EBADMSG, "more than %d bytes of attributes",
				       UNPACK_MAX_XATTRS);
		if (!name || !xattr_is_taken(name))
			continue;
		r = set_xattr(fd, path, name, value, len, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int owner_of(struct archive_entry *raw, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
	la_int64_t uid = archive_entry_uid(raw);
	la_int64_t gid = archive_entry_gid(raw);

	/* 2^32-1 means "leave as it is" to chown(2) */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_set(err, -EBADMSG, "owner %lld:%lld is out of range", (long long)uid,
			       (long long)gid);
	*ret_uid = (uid_t)uid;
	*ret_gid = (gid_t)gid;
	return 0;
}

static void times_of(struct archive_entry *raw, struct timespec *times)
{
	times[0].tv_sec = times[1].tv_sec = archive_entry_mtime(raw);
	times[0].tv_nsec = times[1].tv_nsec = archive_entry_mtime_nsec(raw);
	if (!archive_entry_atime_is_set(raw))
		return;
	times[0].tv_sec = archive_entry_atime(raw);
	times[0].tv_nsec = archive_entry_atime_nsec(raw);
}

/* Order matters: chown clears set-id bits and capabilities. */
static int set_attributes_fd(struct archive_entry *raw, int fd, struct error *err)
{
	uid_t uid;
	gid_t gid;
	int r;

	r = owner_of(raw, &uid, &gid, err);
	if (r < 0)
		return r;
	if (fchown(fd, uid, gid) < 0)
		return err_sys(err, "set owner");
	if (fchmod(fd, archive_entry_mode(raw) & 07777) < 0)
		return err_sys(err, "set mode");
	return set_xattrs(raw, fd, NULL, err);
}

/* For what can't be opened without side effects: devices, FIFOs, symlinks. */
static int set_attributes_at(const struct unpack_entry *entry, bool is_symlink, struct error *err)
{
	struct timespec times[2];
	char path[64 + NAME_MAX];
	uid_t uid;
	gid_t gid;
	int r;

	r = owner_of(entry->raw, &uid, &gid, err);
	if (r < 0)
		return r;
	if (fchownat(entry->parent_fd, entry->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set owner");
	if (!is_symlink &&
	    fchmodat(entry->parent_fd, entry->name, archive_entry_mode(entry->raw) & 07777, 0) < 0)
		return err_sys(err, "set mode");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", entry->parent_fd, entry->name);
	r = set_xattrs(entry->raw, -EBADF, path, err);
	if (r < 0)
		return r;
	times_of(entry->raw, times);
	if (utimensat(entry->parent_fd, entry->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set times");
	return 0;
}

/* --- what was there before ---------------------------------------------------- */

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/*
 * Makes room for a new object: a later entry of one name wins. A folder stays
 * when a folder comes. *ret_opaque: it replaces a whiteout of this layer, so
 * what lies below must stay hidden.
 */
static int make_room(const struct unpack_entry *entry, bool for_folder, bool *ret_exists,
		     bool *ret_opaque, struct error *err)
{
	struct stat st;

	*ret_exists = false;
	*ret_opaque = false;
	if (fstatat(entry->parent_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "look it up");
	if (for_folder && S_ISDIR(st.st_mode)) {
		*ret_exists = true;
		return 0;
	}
	*ret_opaque = is_whiteout(&st);
	return file_remove_tree_at(entry->parent_fd, entry->name, err);
}

int unpack_make_opaque(int dirfd, struct error *err)
{
	if (fsetxattr(dirfd, XATTR_OPAQUE, "y", 1, 0) < 0)
		return err_sys(err, "make the folder opaque");
	return 0;
}

int unpack_whiteout(int parent_fd, const char *name, struct error *err)
{
	cleanup_fd int dir = -EBADF;
	struct stat st;

	if (mknodat(parent_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, "make whiteout of '%s'", name);
	/* This layer has something of that name: only what lies below is hidden. */
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "look up '%s'", name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	dir = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open folder '%s'", name);
	return unpack_make_opaque(dir, err);
}

/* --- kinds -------------------------------------------------------------------- */

static int too_much(const struct unpacking *u, struct error *err)
{
	unsigned long long max = u->max_bytes;

	if (u->unpack->max_bytes > 0)
		return err_set(err, -ENOSPC, "the layer has more than %llu bytes of content", max);
	return err_set(
		err, -ENOSPC,
		"No space left on device: the layer needs more than the %llu bytes it may use",
		max);
}

static int write_content(struct unpacking *u, int fd, struct archive_entry *raw, struct error *err)
{
	la_int64_t size = archive_entry_size(raw);
	uint64_t end = 0;
	uint64_t offset;
	const void *data;
	size_t len;
	int r;

	while ((r = tar_stream_data(u->stream, &data, &len, &offset, err)) > 0) {
		if (len > u->max_bytes - u->bytes)
			return too_much(u, err);
		u->bytes += len;
		r = fd_pwrite_all(fd, data, len, offset);
		if (r < 0)
			return err_set(err, r, "write: %s", strerror(-r));
		end = offset + len;
	}
	if (r < 0)
		return r;
	if (size >= 0 && (uint64_t)size > end && ftruncate(fd, size) < 0) /* a hole at its end */
		return err_sys(err, "set its size to %lld", (long long)size);
	return 0;
}

static int make_regular(struct unpacking *u, const struct unpack_entry *entry, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	struct timespec times[2];
	int r;

	fd = openat(entry->parent_fd, entry->name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "create it");
	r = write_content(u, fd, entry->raw, err);
	if (r == 0)
		r = set_attributes_fd(entry->raw, fd, err);
	if (r < 0)
		return r;
	times_of(entry->raw, times);
	return futimens(fd, times) < 0 ? err_sys(err, "set times") : 0;
}

static int make_directory(struct unpacking *u, const struct unpack_entry *entry, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	struct timespec times[2];
	bool exists;
	bool opaque;
	int r;

	r = make_room(entry, true, &exists, &opaque, err);
	if (r < 0)
		return r;
	if (!exists && mkdirat(entry->parent_fd, entry->name, 0700) < 0)
		return err_sys(err, "make folder");
	fd = openat(entry->parent_fd, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder");
	r = set_attributes_fd(entry->raw, fd, err);
	if (r == 0 && opaque)
		r = unpack_make_opaque(fd, err);
	if (r < 0)
		return r;
	times_of(entry->raw, times);
	return unpack_remember_times(u, entry->path, times, err);
}

static int make_hard_link(struct unpacking *u, const struct unpack_entry *entry, const char *target,
			  struct error *err)
{
	cleanup_fd int dir = -EBADF;
	char path[PATH_MAX];
	const char *slash;
	struct stat st;
	int r;

	r = unpack_clean_name(target + strspn(target, "/"), path, err);
	if (r < 0)
		return err_wrap(err, r, "hard link to '%.300s'", target);
	r = unpack_open_parent(u, path, false, &dir, err);
	if (r == -ENOENT)
		return err_set(err, -EBADMSG,
			       "hard link to '%.300s', which the layer does not have", target);
	if (r < 0)
		return err_wrap(err, r, "hard link to '%.300s'", target);
	slash = strrchr(path, '/');
	target = slash ? slash + 1 : path;
	if (fstatat(dir, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, -EBADMSG,
			       "hard link to '%.300s', which the layer does not have", path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, -EBADMSG, "hard link to the folder '%.300s'", path);
	if (linkat(dir, target, entry->parent_fd, entry->name, 0) < 0)
		return err_sys(err, "hard link to '%.300s'", path);
	return 0;
}

static int make_symlink(const struct unpack_entry *entry, struct error *err)
{
	const char *target = archive_entry_symlink(entry->raw);

	if (!target || !*target)
		return err_set(err, -EBADMSG, "symbolic link to nothing");
	if (symlinkat(target, entry->parent_fd, entry->name) < 0)
		return err_sys(err, "make symbolic link");
	return set_attributes_at(entry, true, err);
}

static int make_node(const struct unpack_entry *entry, struct error *err)
{
	mode_t type = archive_entry_filetype(entry->raw);
	dev_t dev = type == AE_IFIFO ? 0 : archive_entry_rdev(entry->raw);

	if (mknodat(entry->parent_fd, entry->name, type | 0600, dev) < 0)
		return err_sys(err, "make device or FIFO");
	return set_attributes_at(entry, false, err);
}

/* A hard link's own target must not be removed to make room for it. */
static bool links_to_itself(const struct unpack_entry *entry, const char *target)
{
	char path[PATH_MAX];

	return unpack_clean_name(target + strspn(target, "/"), path, NULL) == 0 &&
	       strcmp(path, entry->path) == 0;
}

int unpack_object(struct unpacking *u, const struct unpack_entry *entry, struct error *err)
{
	const char *target = archive_entry_hardlink(entry->raw);
	mode_t type = archive_entry_filetype(entry->raw);
	bool unused;
	int r;

	if (!target && type == AE_IFDIR)
		return make_directory(u, entry, err);
	if (target && links_to_itself(entry, target))
		return err_set(err, -EBADMSG, "hard link to itself");
	r = make_room(entry, false, &unused, &unused, err);
	if (r < 0)
		return r;
	if (target)
		return make_hard_link(u, entry, target, err);
	switch (type) {
	case AE_IFREG:
		return make_regular(u, entry, err);
	case AE_IFLNK:
		return make_symlink(entry, err);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return make_node(entry, err);
	default:
		return err_set(err, -EBADMSG, "of a kind that a layer can't have (%#o)",
			       (unsigned int)type);
	}
}

int unpack_root(struct unpacking *u, const struct unpack_entry *entry, struct error *err)
{
	struct timespec times[2];
	int r;

	if (archive_entry_hardlink(entry->raw) || archive_entry_filetype(entry->raw) != AE_IFDIR)
		return err_set(err, -EBADMSG, "the root of a layer must be a folder");
	r = set_attributes_fd(entry->raw, u->unpack->into, err);
	if (r < 0)
		return r;
	times_of(entry->raw, times);
	return unpack_remember_times(u, "", times, err);
}
