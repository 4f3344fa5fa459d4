#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "store/store-priv.h"

int work_begin(struct store *store, struct work *ret_work, struct error *err)
{
	cleanup_lock struct lock hold = LOCK_INIT;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -EBADF;
	struct lock lock = LOCK_INIT;
	const char *name;
	int r;

	/* Held until the folder's own lock is taken: the collector would take it for abandoned. */
	r = store_hold(store, &hold, err);
	if (r < 0)
		return r;
	if (asprintf(&path, "%s/images/tmp/work.XXXXXX", store->root) < 0) {
		path = NULL;
		return err_oom(err);
	}
	if (!mkdtemp(path))
		return err_sys(err, "make folder '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", path);
	r = lock_take(fd, "lock", LOCK_MODE_EXCLUSIVE, &lock, err);
	if (r < 0)
		return r;
	name = strrchr(path, '/') + 1;
	ret_work->store = store;
	memcpy(ret_work->name, name, strlen(name) + 1);
	ret_work->path = take_ptr(&path);
	ret_work->fd = take_fd(&fd);
	ret_work->lock = lock;
	return 0;
}

void work_end(struct work *work)
{
	struct error err = ERROR_INIT;

	if (work->fd < 0)
		return;
	if (file_remove_tree_at(work->store->tmp_fd, work->name, &err) < 0)
		log_warn("%s; the next pull or rmi removes it", err.text);
	lock_release(&work->lock);
	cleanup_fd_p(&work->fd);
	work->fd = -EBADF;
	cleanup_free_p(&work->path);
	work->path = NULL;
}
