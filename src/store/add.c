#include "store/add.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/blob.h"
#include "store/index.h"
#include "store/layer.h"
#include "store/manifest.h"
#include "store/media.h"
#include "store/store-priv.h"

struct adding {
	struct work *work;
	const struct new_image *image;
	struct manifest manifest;
	struct diff_ids ids;
	uint64_t manifest_size;
	char media_type[128];
	char created[64]; /* "" if the config does not say */
};

static void adding_done(struct adding *adding)
{
	manifest_done(&adding->manifest);
	diff_ids_done(&adding->ids);
}

static void copy_string(const json_t *document, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(document, key));

	(void)snprintf(to, size, "%s", text ? text : "");
}

static int read_manifest(struct adding *adding, struct error *err)
{
	cleanup_json json_t *document = NULL;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = blob_read(adding->image->blobs_fd, &adding->image->manifest, &text, &len, err);
	if (r == 0)
		r = manifest_parse(text, len, &adding->manifest, err);
	if (r == 0)
		r = json_parse("manifest", text, len, &document, err);
	if (r < 0)
		return r;
	adding->manifest_size = len;
	copy_string(document, "mediaType", adding->media_type, sizeof(adding->media_type));
	if (!adding->media_type[0])
		(void)snprintf(adding->media_type, sizeof(adding->media_type), "%s",
			       MEDIA_OCI_MANIFEST);
	return 0;
}

static int read_config(struct adding *adding, struct error *err)
{
	cleanup_json json_t *document = NULL;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = blob_read(adding->image->blobs_fd, &adding->manifest.config, &text, &len, err);
	if (r == 0)
		r = diff_ids_parse(text, len, &adding->ids, err);
	if (r == 0)
		r = json_parse("config", text, len, &document, err);
	if (r < 0)
		return r;
	if (adding->ids.n != adding->manifest.n_layers)
		return err_set(err, -EBADMSG,
			       "the manifest has %zu layers, its config speaks of %zu",
			       adding->manifest.n_layers, adding->ids.n);
	if (adding->ids.n == 0)
		return err_set(err, -EBADMSG, "the image has no layers: there is nothing to run");
	copy_string(document, "created", adding->created, sizeof(adding->created));
	return 0;
}

/* Unpacked by this very work, and waiting to be moved. */
static bool is_ready(const struct adding *adding, const struct digest *chain)
{
	return faccessat(adding->work->fd, digest_hex(chain), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_there(const struct adding *adding, size_t i)
{
	const struct digest *chain = &adding->ids.chains[i];

	return layer_exists(adding->work->store, chain) || is_ready(adding, chain);
}

static int prepare_layer(struct adding *adding, size_t i, struct error *err)
{
	const struct layer_plan plan = {
		.blob = &adding->manifest.layers[i],
		.diff_id = &adding->ids.diffs[i],
		.chains = adding->ids.chains,
		.n_chains = i + 1,
	};

	if (!is_there(adding, i)) {
		log_info("unpacking layer %zu of %zu, '%s'", i + 1, adding->ids.n, plan.blob->text);
		return layer_unpack(adding->work, adding->image->blobs_fd, &plan, err);
	}
	if (blob_exists(adding->work->store->blobs_fd, plan.blob))
		return 0;
	/* The layer came by another blob (compressed otherwise): nobody has read this one. */
	return blob_verify(adding->image->blobs_fd, plan.blob, err);
}

/* Ours was read and is right; one of the store's under that name may be damaged by now. */
static int commit_blob(struct adding *adding, const struct digest *digest, struct error *err)
{
	const char *name = digest_hex(digest);

	if (renameat(adding->image->blobs_fd, name, adding->work->store->blobs_fd, name) < 0)
		return err_sys(err, "move blob '%s' into its place", digest->text);
	return 0;
}

/* A layer may be in the manifest twice, or was not read because we had it. */
static int commit_layer_blob(struct adding *adding, const struct digest *digest, struct error *err)
{
	if (blob_exists(adding->work->store->blobs_fd, digest))
		return 0;
	return commit_blob(adding, digest, err);
}

static int commit_files(struct adding *adding, struct error *err)
{
	struct store *store = adding->work->store;
	int r = 0;

	for (size_t i = 0; r == 0 && i < adding->ids.n; i++)
		if (is_ready(adding, &adding->ids.chains[i]))
			r = layer_commit(adding->work, &adding->ids.chains[i], err);
	for (size_t i = 0; r == 0 && i < adding->manifest.n_layers; i++)
		r = commit_layer_blob(adding, &adding->manifest.layers[i], err);
	if (r == 0)
		r = commit_blob(adding, &adding->manifest.config, err);
	if (r == 0)
		r = commit_blob(adding, &adding->image->manifest, err);
	if (r < 0)
		return r;
	/* The index must not know of files whose names the disk does not have yet. */
	if (fsync(store->layers_fd) < 0 || fsync(store->blobs_fd) < 0)
		return err_sys(err, "sync image store '%s'", store->root);
	return 0;
}

static int total_size(struct adding *adding, uint64_t *ret_size, struct error *err)
{
	uint64_t total = 0;

	for (size_t i = 0; i < adding->ids.n; i++) {
		uint64_t size = 0;
		int r = layer_size(adding->work->store, &adding->ids.chains[i], &size, err);

		if (r < 0)
			return r;
		total += size;
	}
	*ret_size = total;
	return 0;
}

static int write_index(struct adding *adding, struct error *err)
{
	cleanup_index struct index index = INDEX_INIT;
	struct index_entry entry = {
		.manifest = adding->image->manifest,
		.manifest_size = adding->manifest_size,
		.media_type = adding->media_type,
		.name = adding->image->name,
		.id = digest_hex(&adding->manifest.config),
		.created = adding->created[0] ? adding->created : NULL,
		.source_digest = adding->image->source_digest,
	};
	struct error why = ERROR_INIT;
	int r;

	r = total_size(adding, &entry.size, err);
	if (r == 0)
		r = index_load(adding->work->store, &index, err);
	if (r == 0)
		r = index_put(&index, &entry, err);
	if (r == 0)
		r = index_save(adding->work->store, &index, err);
	if (r < 0)
		return r;
	if (store_collect(adding->work, &index, &why) < 0)
		log_warn("%s; nothing was removed", why.text);
	return 0;
}

/* 1: done. 0: a layer that was there has been removed meanwhile. */
static int commit(struct adding *adding, struct error *err)
{
	cleanup_lock struct lock lock = LOCK_INIT;
	int r;

	if (syncfs(adding->work->fd) < 0)
		return err_sys(err, "sync image store '%s'", adding->work->store->root);
	r = store_lock(adding->work->store, &lock, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < adding->ids.n; i++)
		if (!is_there(adding, i))
			return 0;
	r = commit_files(adding, err);
	if (r == 0)
		r = write_index(adding, err);
	return r < 0 ? r : 1;
}

int image_add(struct work *work, const struct new_image *image, char *ret_id, struct error *err)
{
	__attribute__((cleanup(adding_done))) struct adding adding = {
		.work = work,
		.image = image,
		.manifest = MANIFEST_INIT,
		.ids = DIFF_IDS_INIT,
	};
	int r;

	r = read_manifest(&adding, err);
	if (r == 0)
		r = read_config(&adding, err);
	if (r < 0)
		return r;
	do {
		for (size_t i = 0; i < adding.ids.n; i++) {
			r = prepare_layer(&adding, i, err);
			if (r < 0)
				return r;
		}
		r = commit(&adding, err);
	} while (r == 0);
	if (r < 0)
		return r;
	(void)snprintf(ret_id, DIGEST_HEX_LEN + 1, "%s", digest_hex(&adding.manifest.config));
	return 0;
}
