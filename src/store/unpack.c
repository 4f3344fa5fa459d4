#include "store/unpack.h"

#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/path.h"
#include "store/unpack-priv.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define WHITEOUT_META ".wh..wh."
#define DISK_RESERVE_MAX (64 << 20)

/* --- names ------------------------------------------------------------------ */

int unpack_clean_name(const char *raw, char *ret, struct error *err)
{
	size_t depth = 0;
	size_t len = 0;

	if (raw[0] == '/')
		return err_set(err, -EBADMSG, "absolute path");
	while (*raw) {
		size_t part = strcspn(raw, "/");

		if (part == 2 && memcmp(raw, "..", 2) == 0)
			return err_set(err, -EBADMSG, "path leads out of the layer");
		if (part > 0 && !(part == 1 && raw[0] == '.')) {
			if (len + part + 2 > PATH_MAX || part > NAME_MAX)
				return err_set(err, -EBADMSG, "path is too long");
			if (++depth > UNPACK_MAX_DEPTH)
				return err_set(err, -EBADMSG, "path is too deep");
			if (len > 0)
				ret[len++] = '/';
			memcpy(ret + len, raw, part);
			len += part;
		}
		raw += part;
		raw += strspn(raw, "/");
	}
	ret[len] = '\0';
	return 0;
}

/* Splits "a/b" into its folder "a" (copied) and its name "b" (borrowed). */
static const char *split(const char *path, char *folder)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	memcpy(folder, path, len);
	folder[len] = '\0';
	return slash ? slash + 1 : path;
}

/* --- folders ---------------------------------------------------------------- */

int unpack_remember_times(struct unpacking *u, const char *path, const struct timespec *times,
			  struct error *err)
{
	struct folder_times *row;

	if (u->n_folders == u->size_folders) {
		size_t size = u->size_folders ? u->size_folders * 2 : 256;
		struct folder_times *bigger = reallocarray(u->folders, size, sizeof(*bigger));

		if (!bigger)
			return err_oom(err);
		u->folders = bigger;
		u->size_folders = size;
	}
	row = &u->folders[u->n_folders];
	row->path = strdup(path);
	if (!row->path)
		return err_oom(err);
	memcpy(row->times, times, sizeof(row->times));
	u->n_folders++;
	return 0;
}

/* What the layers below say about a folder. -ENOENT: nothing. */
static int stat_below(const struct unpacking *u, const char *path, struct stat *ret)
{
	for (size_t i = 0; i < u->unpack->n_lowers; i++) {
		cleanup_fd int fd = path_open_within(u->unpack->lowers[i], path,
						     O_RDONLY | O_DIRECTORY, 0, NULL);

		if (fd == -ENOENT)
			continue;
		if (fd < 0) /* a whiteout, a file: no folder to take after */
			return -ENOENT;
		return fstat(fd, ret) < 0 ? -errno : 0;
	}
	return -ENOENT;
}

/* Owner, mode and times for a folder that no entry has described yet. */
static int inherit(struct unpacking *u, int fd, const char *path, struct error *err)
{
	struct stat st;

	if (stat_below(u, path, &st) < 0)
		return 0; /* as made: root's, 0755 */
	if (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0)
		return err_sys(err, "set owner and mode of folder '%s'", path);
	return unpack_remember_times(u, path, (struct timespec[2]){ st.st_atim, st.st_mtim }, err);
}

static int explain_parent(int r, const char *path, struct error *err)
{
	if (r == -EXDEV || r == -ELOOP)
		return err_set(err, -EBADMSG, "a symbolic link on its path leads out of the layer");
	if (r == -ENOTDIR)
		return err_set(err, -EBADMSG, "'%s' is not a folder", path);
	errno = -r;
	return err_sys(err, "open folder '%s'", path);
}

static int make_folder(struct unpacking *u, const char *path, int *ret_fd, struct error *err)
{
	cleanup_fd int above = -EBADF;
	char folder[PATH_MAX];
	const char *name = split(path, folder);
	int fd;
	int r;

	above = path_open_within(u->unpack->into, folder, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (above < 0)
		return explain_parent(above, folder, err);
	if (mkdirat(above, name, 0755) < 0)
		return err_sys(err, "make folder '%s'", path);
	fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", path);
	r = fchmod(fd, 0755) < 0 ? err_sys(err, "set mode of folder '%s'", path) : 0;
	if (r == 0)
		r = inherit(u, fd, path, err);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* Opens a folder part by part, making what is missing. */
static int make_folders(struct unpacking *u, const char *path, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	char part[PATH_MAX];
	size_t len = strlen(path);

	for (size_t i = 1; i <= len; i++) {
		int next;
		int r;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		next = path_open_within(u->unpack->into, part, O_RDONLY | O_DIRECTORY, 0, NULL);
		if (next == -ENOENT) {
			r = make_folder(u, part, &next, err);
			if (r < 0)
				return r;
		}
		if (next < 0)
			return explain_parent(next, part, err);
		cleanup_fd_p(&fd);
		fd = next;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int unpack_open_parent(struct unpacking *u, const char *path, bool make, int *ret_fd,
		       struct error *err)
{
	char folder[PATH_MAX];
	int fd;
	int r;

	(void)split(path, folder);
	fd = path_open_within(u->unpack->into, folder, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (fd == -ENOENT && make) {
		r = make_folders(u, folder, &fd, err);
		if (r < 0)
			return r;
	}
	if (fd < 0)
		return explain_parent(fd, folder, err);
	*ret_fd = fd;
	return 0;
}

/* Entries of one folder come together: it is kept open between them. */
static int enter_parent(struct unpacking *u, const char *path, struct error *err)
{
	char folder[PATH_MAX];
	int r;

	(void)split(path, folder);
	if (u->parent_fd >= 0 && strcmp(folder, u->parent) == 0)
		return 0;
	cleanup_fd_p(&u->parent_fd);
	u->parent_fd = -EBADF;
	r = unpack_open_parent(u, path, true, &u->parent_fd, err);
	if (r < 0)
		return r;
	memcpy(u->parent, folder, strlen(folder) + 1);
	return 0;
}

static int set_folder_times(struct unpacking *u, struct error *err)
{
	for (size_t i = u->n_folders; i-- > 0;) {
		const struct folder_times *row = &u->folders[i];
		cleanup_fd int fd = path_open_beneath(u->unpack->into, row->path,
						      O_RDONLY | O_DIRECTORY, 0, NULL);

		if (fd < 0) /* a later entry took its place */
			continue;
		if (futimens(fd, row->times) < 0)
			return err_sys(err, "set times of folder '%s'", row->path);
	}
	return 0;
}

/* --- entries ---------------------------------------------------------------- */

/* 1: it was a whiteout and is done; 0: an ordinary entry. */
static int take_whiteout(const struct unpack_entry *entry, struct error *err)
{
	size_t prefix = sizeof(WHITEOUT_PREFIX) - 1;
	const char *hidden;
	int r;

	if (strncmp(entry->name, WHITEOUT_PREFIX, prefix) != 0)
		return 0;
	if (strcmp(entry->name, WHITEOUT_OPAQUE) == 0) {
		r = unpack_make_opaque(entry->parent_fd, err);
		return r < 0 ? r : 1;
	}
	if (strncmp(entry->name, WHITEOUT_META, sizeof(WHITEOUT_META) - 1) == 0)
		return 1; /* aufs' own bookkeeping, of no meaning here */
	hidden = entry->name + prefix;
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return err_set(err, -EBADMSG, "whiteout of nothing");
	r = unpack_whiteout(entry->parent_fd, hidden, err);
	return r < 0 ? r : 1;
}

static int unpack_named(struct unpacking *u, struct archive_entry *raw, const char *path,
			struct error *err)
{
	struct unpack_entry entry = { .raw = raw, .path = path };
	char folder[PATH_MAX];
	int r;

	if (!*path)
		return unpack_root(u, &entry, err);
	r = enter_parent(u, path, err);
	if (r < 0)
		return r;
	entry.name = split(path, folder);
	entry.parent_fd = u->parent_fd;
	r = u->unpack->no_whiteouts ? 0 : take_whiteout(&entry, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return unpack_object(u, &entry, err);
}

static int unpack_entry(struct unpacking *u, struct archive_entry *raw, struct error *err)
{
	uint64_t max = u->unpack->max_entries ? u->unpack->max_entries : UNPACK_MAX_ENTRIES;
	const char *name = archive_entry_pathname(raw);
	char path[PATH_MAX];
	int r;

	if (++u->entries > max)
		return err_set(err, -EBADMSG, "more than %llu entries", (unsigned long long)max);
	if (!name || !*name)
		return err_set(err, -EBADMSG, "entry %llu has no valid name",
			       (unsigned long long)u->entries);
	r = unpack_clean_name(name, path, err);
	if (r == 0)
		r = unpack_named(u, raw, path, err);
	return r < 0 ? err_wrap(err, r, "entry '%.300s'", name) : 0;
}

static int unpack_all(struct unpacking *u, struct unpacked *ret, struct error *err)
{
	struct archive_entry *raw;
	int r;

	while ((r = tar_stream_next(u->stream, &raw, err)) > 0) {
		r = unpack_entry(u, raw, err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	r = set_folder_times(u, err);
	if (r < 0)
		return r;
	r = tar_stream_finish(u->stream, &ret->blob, &ret->diff_id, err);
	if (r < 0)
		return r;
	ret->size = u->bytes;
	ret->entries = u->entries;
	return 0;
}

static void unpacking_done(struct unpacking *u)
{
	cleanup_fd_p(&u->parent_fd);
	for (size_t i = 0; i < u->n_folders; i++)
		free(u->folders[i].path);
	free(u->folders);
	tar_stream_free(u->stream);
}

/* A bomb must not fill the disk for everybody else: a twentieth is left free, up to 64 MiB. */
static int find_limit(struct unpacking *u, struct error *err)
{
	struct statvfs fs;
	uint64_t reserve;
	uint64_t avail;

	u->max_bytes = u->unpack->max_bytes;
	if (u->max_bytes > 0)
		return 0;
	if (fstatvfs(u->unpack->into, &fs) < 0)
		return err_sys(err, "ask for free disk space");
	avail = (uint64_t)fs.f_bavail * fs.f_frsize;
	reserve = (uint64_t)fs.f_blocks * fs.f_frsize / 20;
	if (reserve > DISK_RESERVE_MAX)
		reserve = DISK_RESERVE_MAX;
	u->max_bytes = avail > reserve ? avail - reserve : 0;
	return 0;
}

int unpack_tar(const struct unpack *unpack, int fd, struct unpacked *ret_unpacked,
	       struct error *err)
{
	__attribute__((cleanup(unpacking_done))) struct unpacking u = {
		.unpack = unpack,
		.parent_fd = -EBADF,
	};
	struct unpacked result;
	int r;

	r = find_limit(&u, err);
	if (r == 0)
		r = tar_stream_open(fd, unpack->compression, &u.stream, err);
	if (r == 0)
		r = inherit(&u, unpack->into, "", err);
	if (r == 0)
		r = unpack_all(&u, &result, err);
	if (r < 0)
		return r;
	*ret_unpacked = result;
	return 0;
}

int unpack_deleted(const struct unpack *unpack, const char *path, struct error *err)
{
	__attribute__((cleanup(unpacking_done))) struct unpacking u = {
		.unpack = unpack,
		.parent_fd = -EBADF,
	};
	char folder[PATH_MAX];
	char clean[PATH_MAX];
	int r = unpack_clean_name(path + strspn(path, "/"), clean, err);

	if (r == 0 && !*clean)
		r = err_set(err, -EBADMSG, "the root itself can't be deleted");
	if (r == 0)
		r = enter_parent(&u, clean, err);
	if (r == 0)
		r = unpack_whiteout(u.parent_fd, split(clean, folder), err);
	if (r == 0)
		r = set_folder_times(&u, err);
	return r < 0 ? err_wrap(err, r, "deleted file '%.300s'", path) : 0;
}
