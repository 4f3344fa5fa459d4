#include "pod/import-mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "pod/container.h"
#include "pod/db.h"
#include "pod/pod.h"

#define MARK "import"

int import_mark(int folder, struct error *err)
{
	return file_write_at(folder, MARK, "", 0, 0600, err);
}

int import_unmark(const char *folder)
{
	cleanup_fd int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || unlinkat(fd, MARK, 0) < 0 ? -errno : 0;
}

/* Marked, and neither locked nor known: whoever began it is dead. */
static bool is_dead(struct pod *pod, int folder, const char *id, struct lock *lock)
{
	char found[ID_LEN + 1];

	return faccessat(folder, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       lock_try(folder, "lock", LOCK_MODE_EXCLUSIVE, lock, NULL) == 0 &&
	       db_find(pod->db, id, found, NULL) == -ENOENT;
}

void import_sweep(struct pod *pod)
{
	cleanup_free char *path = NULL;
	cleanup_dir DIR *dir = NULL;
	const struct dirent *entry;

	if (pod_path(pod, "", "", &path, NULL) < 0)
		return;
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		cleanup_lock struct lock lock = LOCK_INIT;
		cleanup_fd int folder = -EBADF;

		if (strlen(entry->d_name) != ID_LEN)
			continue;
		folder = openat(dirfd(dir), entry->d_name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (folder < 0 || !is_dead(pod, folder, entry->d_name, &lock))
			continue;
		log_debug("an import of %s was killed: its folder goes", entry->d_name);
		(void)file_remove_tree_at(dirfd(dir), entry->d_name, NULL);
	}
}
