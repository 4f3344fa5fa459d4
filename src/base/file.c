#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"

static int read_by(int (*slurp)(int, size_t, char **, size_t *), int dirfd, const char *name,
		   size_t max, char **ret_data, size_t *ret_len, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "open '%s'", name);
	r = slurp(fd, max, ret_data, ret_len);
	if (r < 0)
		return err_set(err, r, "read '%s': %s", name, strerror(-r));
	return 0;
}

int file_read_at(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		 struct error *err)
{
	return read_by(fd_slurp, dirfd, name, max, ret_data, ret_len, err);
}

int file_read_record_at(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
			struct error *err)
{
	return read_by(fd_slurp_once, dirfd, name, max, ret_data, ret_len, err);
}

/* The folder part of a path, or "." */
static void folder_of(const char *name, char *folder, size_t size)
{
	const char *slash = strrchr(name, '/');

	if (!slash)
		(void)snprintf(folder, size, ".");
	else if (slash == name)
		(void)snprintf(folder, size, "/");
	else
		(void)snprintf(folder, size, "%.*s", (int)(slash - name), name);
}

static int sync_folder(int dirfd, const char *name, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	char folder[PATH_MAX];

	folder_of(name, folder, sizeof(folder));
	fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", folder);
	if (fsync(fd) < 0)
		return err_sys(err, "sync folder '%s'", folder);
	return 0;
}

static int write_and_sync(int fd, const void *data, size_t len, bool durable)
{
	int r = fd_write_all(fd, data, len);

	if (r < 0 || !durable)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

static int replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		   bool durable, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	char temp[PATH_MAX];
	int r;

	r = snprintf(temp, sizeof(temp), "%s.%d.tmp", name, getpid());
	if (r < 0 || (size_t)r >= sizeof(temp))
		return err_set(err, -ENAMETOOLONG, "write '%s': name too long", name);
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_sys(err, "create '%s'", temp);
	r = write_and_sync(fd, data, len, durable);
	if (r < 0) {
		(void)unlinkat(dirfd, temp, 0); /* the write's failure is what counts */
		return err_set(err, r, "write '%s': %s", temp, strerror(-r));
	}
	if (renameat(dirfd, temp, dirfd, name) < 0) {
		r = err_sys(err, "rename '%s' to '%s'", temp, name);
		(void)unlinkat(dirfd, temp, 0);
		return r;
	}
	return durable ? sync_folder(dirfd, name, err) : 0;
}

int file_write_atomic_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			 struct error *err)
{
	return replace(dirfd, name, data, len, mode, true, err);
}

int file_replace_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		    struct error *err)
{
	return replace(dirfd, name, data, len, mode, false, err);
}

int file_write_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		  struct error *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_sys(err, "create '%s'", name);
	r = fd_write_all(fd, data, len);
	return r < 0 ? err_set(err, r, "write '%s': %s", name, strerror(-r)) : 0;
}

int file_poke_at(int dirfd, const char *name, const char *text, struct error *err)
{
	cleanup_fd int fd = -EBADF;

	fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s'", name);
	if (write(fd, text, strlen(text)) < 0)
		return err_sys(err, "write '%s' to '%s'", text, name);
	return 0;
}

/*
 * A removal holds a descriptor for each folder it is in, and a container can
 * nest folders deeper than descriptors go. So what lies too deep is moved up
 * into the top folder, and removed in another round.
 */
#define REMOVE_DEPTH 64

struct removal {
	int top;
	unsigned int moved;
};

static int move_up(struct removal *removal, int dirfd, const char *name, struct error *err)
{
	char aside[32];

	do {
		(void)snprintf(aside, sizeof(aside), ".too-deep.%u", removal->moved++);
		if (renameat2(dirfd, name, removal->top, aside, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return err_sys(err, "move '%s' up", name);
}

static int remove_entry(struct removal *removal, int dirfd, const char *name, unsigned int depth,
			struct error *err);

static int remove_below(struct removal *removal, int fd, unsigned int depth, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int r;

	dir = fdopendir(fd);
	if (!dir) {
		r = err_sys(err, "read folder");
		(void)close(fd);
		return r;
	}
	while ((errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = remove_entry(removal, dirfd(dir), entry->d_name, depth, err);
		if (r < 0)
			return r;
	}
	return errno ? err_sys(err, "read folder") : 0;
}

/* 1: it is gone, and was no folder that has something in it. */
static int remove_simple(int dirfd, const char *name, struct error *err)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 1;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(err, "remove '%s'", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 1;
	if (errno == ENOTDIR) /* a file after all, and one that may not be removed */
		return err_set(err, -EPERM, "remove '%s': %s", name, strerror(EPERM));
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, "remove folder '%s'", name);
	return 0;
}

static int open_to_remove(int dirfd, const char *name, struct error *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "open folder '%s'", name) : fd;
}

static int remove_entry(struct removal *removal, int dirfd, const char *name, unsigned int depth,
			struct error *err)
{
	int r = remove_simple(dirfd, name, err);
	int fd;

	if (r != 0)
		return r < 0 ? r : 0;
	if (depth == REMOVE_DEPTH)
		return move_up(removal, dirfd, name, err);
	fd = open_to_remove(dirfd, name, err);
	if (fd < 0)
		return fd;
	r = remove_below(removal, fd, depth + 1, err); /* takes fd */
	if (r < 0)
		return err_wrap(err, r, "remove '%s'", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		return err_sys(err, "remove folder '%s'", name);
	return 0;
}

int file_remove_tree_at(int dirfd, const char *name, struct error *err)
{
	struct removal removal = { .top = -EBADF };
	cleanup_fd int top = -EBADF;
	unsigned int before;
	int r;

	r = remove_simple(dirfd, name, err);
	if (r != 0)
		return r < 0 ? r : 0;
	top = open_to_remove(dirfd, name, err);
	if (top < 0)
		return top;
	removal.top = top;
	do {
		int fd = open_to_remove(top, ".", err);

		before = removal.moved;
		r = fd < 0 ? fd : remove_below(&removal, fd, 1, err); /* takes fd */
		if (r < 0)
			return err_wrap(err, r, "remove '%s'", name);
	} while (removal.moved != before);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		return err_sys(err, "remove folder '%s'", name);
	return 0;
}

int file_make_dirs_at(int dirfd, const char *path, mode_t mode, struct error *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return err_set(err, -ENAMETOOLONG, "make folder '%s': name too long", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdirat(dirfd, part, mode) < 0 && errno != EEXIST)
			return err_sys(err, "make folder '%s'", part);
	}
	return 0;
}
