#include "store/image.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "store/blob.h"
#include "store/find.h"
#include "store/image-config.h"
#include "store/index.h"
#include "store/layer.h"
#include "store/manifest.h"
#include "store/name.h"
#include "store/store-priv.h"

/* Names and "REPOSITORY@DIGEST" of every entry of the image. */
static int collect_names(const struct index *index, const char *id, struct strv *names,
			 struct strv *digests, struct error *err)
{
	for (size_t i = 0; i < index->n; i++) {
		const struct index_entry *entry = &index->entries[i];
		const char *digest =
			entry->source_digest ? entry->source_digest : entry->manifest.text;
		size_t repository_len;
		char *text = NULL;

		if (strcmp(entry->id, id) != 0 || !entry->name)
			continue;
		strv_add(names, entry->name);
		(void)name_split_tag(entry->name, &repository_len);
		if (asprintf(&text, "%.*s@%s", (int)repository_len, entry->name, digest) < 0)
			return err_oom(err);
		if (strv_contains(digests, text))
			free(text);
		else
			strv_add_take(digests, text);
	}
	return strv_ok(names) && strv_ok(digests) ? 0 : err_oom(err);
}

static int read_layers(struct store *store, const struct diff_ids *ids, struct image *image,
		       struct error *err)
{
	for (size_t i = ids->n; i-- > 0;) {
		char *path = layer_path(store, &ids->chains[i]);

		if (!path)
			return err_oom(err);
		strv_add_take(&image->layers, path);
		if (!layer_exists(store, &ids->chains[i])) {
			int r = err_set(err, -EBADMSG, "layer '%s' is missing from the store",
					ids->chains[i].text);

			err_hint(err, "pull or import the image again");
			return r;
		}
	}
	for (size_t i = 0; i < ids->n; i++)
		strv_add(&image->diff_ids, ids->diffs[i].text);
	return strv_ok(&image->layers) && strv_ok(&image->diff_ids) ? 0 : err_oom(err);
}

static int read_config(struct store *store, struct image *image, struct error *err)
{
	cleanup_diff_ids struct diff_ids ids = DIFF_IDS_INIT;
	struct digest config;
	size_t len = 0;
	int r;

	(void)snprintf(config.text, sizeof(config.text), DIGEST_PREFIX "%s", image->id);
	r = blob_read(store->blobs_fd, &config, &image->config_json, &len, err);
	if (r == 0)
		r = image_config_read(image->config_json, len, image, err);
	if (r == 0)
		r = diff_ids_parse(image->config_json, len, &ids, err);
	return r < 0 ? r : read_layers(store, &ids, image, err);
}

static int read_manifest(struct store *store, const struct index_entry *entry, struct image *image,
			 struct error *err)
{
	cleanup_manifest struct manifest manifest = MANIFEST_INIT;
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = blob_read(store->blobs_fd, &entry->manifest, &text, &len, err);
	if (r == 0)
		r = manifest_parse(text, len, &manifest, err);
	if (r < 0)
		return r;
	image->annotations = manifest.annotations;
	manifest.annotations = (struct strv)STRV_INIT;
	return 0;
}

static int read_image(struct store *store, const struct index *index,
		      const struct index_entry *entry, struct image **ret_image, struct error *err)
{
	cleanup_image struct image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return err_oom(err);
	(void)snprintf(image->id, sizeof(image->id), "%s", entry->id);
	image->size = entry->size;
	image->created = index_time(entry->created);
	image->digest = strdup(entry->source_digest ? entry->source_digest : entry->manifest.text);
	if (!image->digest)
		return err_oom(err);
	r = collect_names(index, entry->id, &image->names, &image->digests, err);
	if (r == 0)
		r = read_manifest(store, entry, image, err);
	if (r == 0)
		r = read_config(store, image, err);
	if (r < 0)
		return err_wrap(err, r, "image '%s'", entry->name ? entry->name : entry->id);
	*ret_image = take_ptr(&image);
	return 0;
}

int image_find(struct store *store, const char *name, struct image **ret_image, struct error *err)
{
	cleanup_index struct index index = INDEX_INIT;
	const struct index_entry *entry = NULL;
	int r;

	r = index_load(store, &index, err);
	if (r == 0)
		r = find_entry(&index, name, &entry, NULL, err);
	if (r < 0)
		return r;
	assert(entry);
	return read_image(store, &index, entry, ret_image, err);
}

void image_free(struct image *image)
{
	int saved = errno;

	if (!image)
		return;
	free(image->digest);
	strv_done(&image->names);
	strv_done(&image->digests);
	strv_done(&image->annotations);
	strv_done(&image->diff_ids);
	strv_done(&image->layers);
	free(image->architecture);
	free(image->os);
	free(image->author);
	free(image->comment);
	free(image->config_json);
	image_config_done(&image->config);
	free(image);
	errno = saved;
}

const char *image_name(const struct image *image)
{
	return image->names.n > 0 ? image->names.items[0] : "";
}

/* --- the list ----------------------------------------------------------------- */

static void fill_row(const struct index_entry *entry, struct image_row *row)
{
	(void)snprintf(row->id, sizeof(row->id), "%s", entry->id);
	(void)snprintf(row->digest, sizeof(row->digest), "%s",
		       entry->source_digest ? entry->source_digest : entry->manifest.text);
	row->size = entry->size;
	row->created = index_time(entry->created);
}

/* Entries of one image side by side, its names in the order of the index. */
static int by_image(const void *a, const void *b)
{
	const struct index_entry *left = *(const struct index_entry *const *)a;
	const struct index_entry *right = *(const struct index_entry *const *)b;
	int r = strcmp(left->id, right->id);

	return r ? r : left < right ? -1 : left > right;
}

static int fill_rows(const struct index *index, const struct index_entry **sorted,
		     struct image_list *list, struct error *err)
{
	for (size_t i = 0; i < index->n; i++)
		sorted[i] = &index->entries[i];
	qsort(sorted, index->n, sizeof(const struct index_entry *), by_image);
	for (size_t i = 0; i < index->n; i++) {
		struct image_row *row;

		if (i == 0 || strcmp(sorted[i]->id, sorted[i - 1]->id) != 0)
			fill_row(sorted[i], &list->rows[list->n++]);
		row = &list->rows[list->n - 1];
		if (sorted[i]->name)
			strv_add(&row->names, sorted[i]->name);
		if (!strv_ok(&row->names))
			return err_oom(err);
	}
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct image_row *left = a;
	const struct image_row *right = b;

	if (left->created != right->created)
		return left->created < right->created ? 1 : -1;
	return strcmp(left->id, right->id);
}

int image_list(struct store *store, struct image_list *ret_list, struct error *err)
{
	cleanup_image_list struct image_list list = IMAGE_LIST_INIT;
	cleanup_index struct index index = INDEX_INIT;
	cleanup_free const struct index_entry **sorted = NULL;
	int r;

	r = index_load(store, &index, err);
	if (r < 0)
		return r;
	list.rows = calloc(index.n + 1, sizeof(*list.rows));
	sorted = calloc(index.n + 1, sizeof(*sorted));
	if (!list.rows || !sorted)
		return err_oom(err);
	r = fill_rows(&index, sorted, &list, err);
	if (r < 0)
		return r;
	qsort(list.rows, list.n, sizeof(*list.rows), newest_first);
	*ret_list = list;
	list = (struct image_list)IMAGE_LIST_INIT;
	return 0;
}

void image_list_done(struct image_list *list)
{
	int saved = errno;

	for (size_t i = 0; i < list->n; i++)
		strv_done(&list->rows[i].names);
	free(list->rows);
	*list = (struct image_list)IMAGE_LIST_INIT;
	errno = saved;
}
