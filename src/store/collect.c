/*
 * collect: what the index does not need goes.
 *
 * First all that is needed is written down (blobs and layers, from every
 * manifest the index names), then everything else is moved away.
 */
#include <dirent.h>
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
#include "base/json.h"
#include "base/log.h"
#include "store/blob.h"
#include "store/index.h"
#include "store/manifest.h"
#include "store/store-priv.h"

#define MAX_LIST_DEPTH 4

struct needed {
	struct store *store; /* borrowed */
	json_t *blobs;	     /* sets of hex names: the keys of objects */
	json_t *layers;
	unsigned int depth;
};

static void needed_done(struct needed *needed)
{
	json_decref(needed->blobs);
	json_decref(needed->layers);
}

static int add(json_t *set, const struct digest *digest, struct error *err)
{
	return json_object_set_new(set, digest_hex(digest), json_true()) < 0 ? err_oom(err) : 0;
}

static int need_layers(struct needed *needed, const struct digest *config, struct error *err)
{
	cleanup_diff_ids struct diff_ids ids = DIFF_IDS_INIT;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = blob_read(needed->store->blobs_fd, config, &text, &len, err);
	if (r == 0)
		r = diff_ids_parse(text, len, &ids, err);
	for (size_t i = 0; r == 0 && i < ids.n; i++)
		r = add(needed->layers, &ids.chains[i], err);
	return r;
}

static int need_manifest(struct needed *needed, const struct digest *digest, struct error *err);

static int need_reference(void *arg, const struct digest *digest, bool is_manifest,
			  struct error *err)
{
	struct needed *needed = arg;
	int r;

	/* a list may name manifests for machines that nobody fetched */
	if (is_manifest && !blob_exists(needed->store->blobs_fd, digest))
		return 0;
	if (!is_manifest)
		return add(needed->blobs, digest, err);
	if (needed->depth >= MAX_LIST_DEPTH)
		return err_set(err, -EBADMSG, "lists of manifests within each other");
	needed->depth++;
	r = need_manifest(needed, digest, err);
	needed->depth--;
	return r;
}

static int need_manifest(struct needed *needed, const struct digest *digest, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = add(needed->blobs, digest, err);
	if (r == 0)
		r = blob_read(needed->store->blobs_fd, digest, &text, &len, err);
	return r < 0 ? r : manifest_references(text, len, need_reference, needed, err);
}

/* Entries of others count too: their blobs stay. */
static int need_all(struct needed *needed, const struct index *index, struct error *err)
{
	const json_t *descriptor;
	size_t i;
	int r;

	json_array_foreach(index->manifests, i, descriptor)
	{
		const char *text = json_string_value(json_object_get(descriptor, "digest"));
		struct digest digest;

		r = digest_parse(text ? text : "", &digest, err);
		if (r == 0)
			r = need_manifest(needed, &digest, err);
		if (r < 0)
			return r;
	}
	for (i = 0; i < index->n; i++) {
		struct digest config;

		(void)snprintf(config.text, sizeof(config.text), DIGEST_PREFIX "%s",
			       index->entries[i].id);
		r = need_layers(needed, &config, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A blob and a layer may have one name: an uncompressed layer's digest is its diffID. */
static int move_away(struct work *work, int dirfd, const char *name, struct error *err)
{
	char gone[NAME_MAX + 16];

	(void)snprintf(gone, sizeof(gone), "gone.%d.%.200s", dirfd, name);
	if (renameat(dirfd, name, work->fd, gone) == 0 || errno == ENOENT)
		return 0;
	return err_sys(err, "remove '%s'", name);
}

/* Calls `take` for each name of a folder. */
static int each_name(int dirfd, int (*take)(void *arg, const char *name, struct error *err),
		     void *arg, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd;
	int r;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = err_sys(err, "read folder");
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while ((errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = take(arg, entry->d_name, err);
		if (r < 0)
			return r;
	}
	return errno ? err_sys(err, "read folder") : 0;
}

struct sweep {
	struct work *work;
	int dirfd;
	const json_t *needed;
};

static int sweep_one(void *arg, const char *name, struct error *err)
{
	struct sweep *sweep = arg;

	if (json_object_get(sweep->needed, name))
		return 0;
	log_debug("not needed any more: '%s'", name);
	return move_away(sweep->work, sweep->dirfd, name, err);
}

/* Work of a process that is gone: nobody holds its lock. */
static int sweep_abandoned(void *arg, const char *name, struct error *err)
{
	struct work *work = arg;
	cleanup_lock struct lock lock = LOCK_INIT;
	char lock_name[NAME_MAX + 8];

	if (strcmp(name, work->name) == 0)
		return 0;
	(void)snprintf(lock_name, sizeof(lock_name), "%s/lock", name);
	if (lock_try(work->store->tmp_fd, lock_name, LOCK_MODE_EXCLUSIVE, &lock, NULL) < 0)
		return 0;
	log_debug("removing what an interrupted command left: '%s'", name);
	return move_away(work, work->store->tmp_fd, name, err);
}

/* A half-written index: all who write one hold the store, as we do. */
static int sweep_index_temp(void *arg, const char *name, struct error *err)
{
	struct work *work = arg;
	size_t len = strlen(name);

	if (strncmp(name, "index.json.", 11) != 0 || len < 4 || strcmp(name + len - 4, ".tmp") != 0)
		return 0;
	return move_away(work, work->store->images_fd, name, err);
}

int store_collect(struct work *work, const struct index *index, struct error *err)
{
	struct store *store = work->store;
	__attribute__((cleanup(needed_done))) struct needed needed = {
		.store = store,
		.blobs = json_object(),
		.layers = json_object(),
	};
	struct sweep blobs = { work, store->blobs_fd, needed.blobs };
	struct sweep layers = { work, store->layers_fd, needed.layers };
	int r;

	if (!needed.blobs || !needed.layers)
		return err_oom(err);
	r = need_all(&needed, index, err);
	if (r == 0)
		r = each_name(store->layers_fd, sweep_one, &layers, err);
	if (r == 0)
		r = each_name(store->blobs_fd, sweep_one, &blobs, err);
	if (r == 0)
		r = each_name(store->images_fd, sweep_index_temp, work, err);
	if (r == 0)
		r = each_name(store->tmp_fd, sweep_abandoned, work, err);
	return r < 0 ? err_wrap(err, r, "clean up image store '%s'", store->root) : 0;
}
