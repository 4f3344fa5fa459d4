#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "store/index.h"
#include "store/store-priv.h"

static const char layout_text[] = "{\"imageLayoutVersion\": \"1.0.0\"}\n";

static int open_folder(int dirfd, const char *name, int *ret_fd, struct error *err)
{
	int fd;

	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", name);
	*ret_fd = fd;
	return 0;
}

static int make_and_open(int dirfd, const char *name, int *ret_fd, struct error *err)
{
	int r = file_make_dirs_at(dirfd, name, 0700, err);

	return r < 0 ? r : open_folder(dirfd, name, ret_fd, err);
}

static int open_folders(struct store *store, struct error *err)
{
	int r;

	r = make_and_open(store->root_fd, "images", &store->images_fd, err);
	if (r == 0)
		r = make_and_open(store->images_fd, "blobs/sha256", &store->blobs_fd, err);
	if (r == 0)
		r = make_and_open(store->images_fd, "tmp", &store->tmp_fd, err);
	if (r == 0)
		r = make_and_open(store->root_fd, "layers", &store->layers_fd, err);
	if (r < 0)
		return err_wrap(err, r, "image store '%s'", store->root);
	if (faccessat(store->images_fd, "oci-layout", F_OK, 0) == 0)
		return 0;
	return file_write_atomic_at(store->images_fd, "oci-layout", layout_text,
				    sizeof(layout_text) - 1, 0644, err);
}

int store_open(const char *root, struct store **ret_store, struct error *err)
{
	cleanup_store struct store *store = NULL;
	int r;

	store = calloc(1, sizeof(*store));
	if (!store)
		return err_oom(err);
	store->root_fd = store->images_fd = store->blobs_fd = -EBADF;
	store->layers_fd = store->tmp_fd = -EBADF;
	r = make_and_open(AT_FDCWD, root, &store->root_fd, err);
	if (r < 0)
		return r;
	store->root = realpath(root, NULL); /* overlayfs and helpers are given paths in it */
	if (!store->root)
		return err_sys(err, "image store '%s'", root);
	r = open_folders(store, err);
	if (r < 0)
		return r;
	*ret_store = take_ptr(&store);
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	cleanup_fd_p(&store->root_fd);
	cleanup_fd_p(&store->images_fd);
	cleanup_fd_p(&store->blobs_fd);
	cleanup_fd_p(&store->layers_fd);
	cleanup_fd_p(&store->tmp_fd);
	cleanup_free_p(&store->root);
	free(store);
}

const char *store_root(const struct store *store)
{
	return store->root;
}

int store_hold(struct store *store, struct lock *ret_lock, struct error *err)
{
	return lock_take(store->images_fd, "lock", LOCK_MODE_SHARED, ret_lock, err);
}

int store_lock(struct store *store, struct lock *ret_lock, struct error *err)
{
	return lock_take(store->images_fd, "lock", LOCK_MODE_EXCLUSIVE, ret_lock, err);
}
