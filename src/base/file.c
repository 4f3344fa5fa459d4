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

int file_read_at(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		 struct error *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "open '%s'", name);
	r = fd_slurp(fd, max, ret_data, ret_len);
	if (r < 0)
		return err_set(err, r, "read '%s': %s", name, strerror(-r));
	return 0;
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

static int remove_below(int fd, struct error *err)
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
		r = file_remove_tree_at(dirfd(dir), entry->d_name, err);
		if (r < 0)
			return r;
	}
	return errno ? err_sys(err, "read folder") : 0;
}

int file_remove_tree_at(int dirfd, const char *name, struct error *err)
{
	int fd;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(err, "remove '%s'", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", name);
	r = remove_below(fd, err); /* takes fd */
	if (r < 0)
		return err_wrap(err, r, "remove '%s'", name);
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
