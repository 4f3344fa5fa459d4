/*
 * other-name: a file that lost the name it was opened by, but has another one.
 *
 * sem_open(3) makes every POSIX semaphore like that: a file of a random name is
 * mapped, linked to its real name, and the random one is removed; many programs
 * that replace files safely do the same. The real name mostly lies in the same
 * folder, so that is where it is looked for; it is the same file, and what is
 * restored by it differs in what d_path(9) says only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"

/* d_ino is no help: on an overlay it may be another number than stat(2) tells. */
static bool is_that_file(int dir, const char *name, const struct stat *wanted)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == wanted->st_dev &&
	       st.st_ino == wanted->st_ino && (st.st_mode & S_IFMT) == (wanted->st_mode & S_IFMT);
}

int dump_other_name(struct dump *dump, int mnt_id, const char *path, const struct stat *wanted,
		    char **ret_path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	const int len = slash ? (int)(slash - path) : 0;
	cleanup_dir DIR *dir = NULL;
	cleanup_fd int fd = -EBADF;
	char *folder, *found;

	folder = arena_printf(&dump->arena, "%.*s/", len, path);
	if (!folder)
		return err_oom(err);
	fd = dump_open_path_on(dump, mnt_id, folder, O_RDONLY | O_DIRECTORY, NULL);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir)
		return err_sys(err, "read folder '%s'", folder);
	(void)take_fd(&fd);
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? err_sys(err, "read folder '%s'", folder) : 0;
		if (!is_that_file(dirfd(dir), entry->d_name, wanted))
			continue;
		found = arena_printf(&dump->arena, "%s%s", folder, entry->d_name);
		if (!found)
			return err_oom(err);
		log_debug("'%s' has lost that name, it is '%s' now", path, found);
		*ret_path = found;
		return 1;
	}
}
