#include "runtime/copy-up.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

static int copy_folder(int from, int to, struct error *err);

static int copy_xattrs(int from, int to, const char *name, struct error *err)
{
	char names[4096];
	char value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (const char *key = names; n > 0 && key < names + n; key += strlen(key) + 1) {
		ssize_t len = fgetxattr(from, key, value, sizeof(value));

		if (len >= 0 && fsetxattr(to, key, value, (size_t)len, 0) < 0 && errno != ENOTSUP &&
		    errno != EPERM)
			return err_sys(err, "set attribute '%s' of '%s'", key, name);
	}
	return 0;
}

static int copy_owner(int to, const char *name, const struct stat *st, struct error *err)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };

	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the owner of '%s'", name);
	if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
		return err_sys(err, "set the mode of '%s'", name);
	if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the times of '%s'", name);
	return 0;
}

static int copy_file(int from, int to, const char *name, struct error *err)
{
	cleanup_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		return err_sys(err, "copy '%s'", name);
	do {
		n = sendfile(out, in, NULL, (size_t)1 << 30);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(err, "copy '%s'", name);
	return copy_xattrs(in, out, name, err);
}

static int copy_symlink(int from, int to, const char *name, struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, "read link '%s'", name);
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return err_sys(err, "make link '%s'", name);
	return 0;
}

static int copy_subfolder(int from, int to, const char *name, struct error *err)
{
	cleanup_fd int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int out = -EBADF;
	int r;

	if (in < 0)
		return err_sys(err, "open folder '%s'", name);
	if (mkdirat(to, name, 0700) < 0)
		return err_sys(err, "make folder '%s'", name);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return err_sys(err, "open folder '%s'", name);
	r = copy_folder(in, out, err);
	if (r < 0)
		return err_wrap(err, r, "%s", name);
	return copy_xattrs(in, out, name, err);
}

static int copy_entry(int from, int to, const char *name, struct error *err)
{
	struct stat st;
	int r = 0;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "stat '%s'", name);
	if (S_ISDIR(st.st_mode))
		r = copy_subfolder(from, to, name, err);
	else if (S_ISREG(st.st_mode))
		r = copy_file(from, to, name, err);
	else if (S_ISLNK(st.st_mode))
		r = copy_symlink(from, to, name, err);
	else if (mknodat(to, name, st.st_mode, st.st_rdev) < 0)
		r = err_sys(err, "make '%s'", name);
	return r < 0 ? r : copy_owner(to, name, &st, err);
}

static int copy_folder(int from, int to, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open folder");
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd); /* opened for reading only */
		return err_oom(err);
	}
	while ((errno = 0, entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = copy_entry(fd, to, entry->d_name, err);
		if (r < 0)
			return r;
	}
	return errno ? err_sys(err, "read folder") : 0;
}

int copy_up(int from, int to, struct error *err)
{
	return copy_folder(from, to, err);
}
