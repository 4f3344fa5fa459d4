#include "store/index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "store/media.h"
#include "store/store-priv.h"

#define KEY_NAME "org.opencontainers.image.ref.name"
#define KEY_CREATED "org.opencontainers.image.created"
#define KEY_ID "io.cryopod.image.id"
#define KEY_SIZE "io.cryopod.image.size"
#define KEY_SOURCE_DIGEST "io.cryopod.image.source-digest"

static const char *annotation(const json_t *descriptor, const char *key)
{
	return json_string_value(json_object_get(json_object_get(descriptor, "annotations"), key));
}

/* Fills an entry from a descriptor. False: not one of ours. */
static bool read_entry(const json_t *descriptor, struct index_entry *ret)
{
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	const char *id = annotation(descriptor, KEY_ID);
	const char *size = annotation(descriptor, KEY_SIZE);
	struct index_entry entry = { 0 };

	if (!digest || !id || strlen(id) != DIGEST_HEX_LEN || !digest_is_hex(id, strlen(id)))
		return false;
	if (digest_parse(digest, &entry.manifest, NULL) < 0)
		return false;
	entry.manifest_size = (uint64_t)json_integer_value(json_object_get(descriptor, "size"));
	entry.media_type = json_string_value(json_object_get(descriptor, "mediaType"));
	entry.name = annotation(descriptor, KEY_NAME);
	entry.id = id;
	entry.created = annotation(descriptor, KEY_CREATED);
	entry.source_digest = annotation(descriptor, KEY_SOURCE_DIGEST);
	entry.size = size ? strtoull(size, NULL, 10) : 0;
	*ret = entry;
	return true;
}

/* The entries are a view of the document; made again after each change. */
static int read_entries(struct index *index, struct error *err)
{
	size_t n = json_array_size(index->manifests);
	struct index_entry *entries = calloc(n ? n : 1, sizeof(*entries));

	if (!entries)
		return err_oom(err);
	free(index->entries);
	index->entries = entries;
	index->n = 0;
	for (size_t i = 0; i < n; i++)
		if (read_entry(json_array_get(index->manifests, i), &entries[index->n]))
			index->n++;
	return 0;
}

static json_t *empty_document(void)
{
	return json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX,
			 "manifests");
}

int index_load(struct store *store, struct index *ret_index, struct error *err)
{
	cleanup_index struct index index = INDEX_INIT;
	struct error why = ERROR_INIT;
	int r;

	r = json_read_at(store->images_fd, "index.json", INDEX_MAX_BYTES, &index.document, &why);
	if (r == -ENOENT) {
		index.document = empty_document();
		if (!index.document)
			return err_oom(err);
	} else if (r < 0) {
		return err_set(err, r, "image store '%s': %s", store->root, why.text);
	}
	index.manifests = json_object_get(index.document, "manifests");
	if (!json_is_array(index.manifests))
		return err_set(err, -EBADMSG, "image store '%s': index.json has no list of images",
			       store->root);
	r = read_entries(&index, err);
	if (r < 0)
		return r;
	*ret_index = index;
	index = (struct index)INDEX_INIT;
	return 0;
}

int index_save(struct store *store, const struct index *index, struct error *err)
{
	cleanup_free char *text = NULL;
	int r;

	r = json_format(index->document, 0, &text, err);
	if (r < 0)
		return r;
	return file_write_atomic_at(store->images_fd, "index.json", text, strlen(text), 0600, err);
}

void index_done(struct index *index)
{
	json_decref(index->document);
	free(index->entries);
	*index = (struct index)INDEX_INIT;
}

static json_t *make_descriptor(const struct index_entry *entry)
{
	char size[32];
	json_t *annotations;
	json_t *descriptor;

	(void)snprintf(size, sizeof(size), "%" PRIu64, entry->size);
	annotations = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", KEY_ID, entry->id, KEY_SIZE, size,
				KEY_CREATED, entry->created, KEY_NAME, entry->name,
				KEY_SOURCE_DIGEST, entry->source_digest);
	descriptor = json_pack("{s:s, s:s, s:I, s:o}", "mediaType",
			       entry->media_type ? entry->media_type : MEDIA_OCI_MANIFEST, "digest",
			       entry->manifest.text, "size", (json_int_t)entry->manifest_size,
			       "annotations", annotations);
	return descriptor;
}

/* How many entries the image has. */
static size_t count_of(const struct index *index, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < index->n; i++)
		if (strcmp(index->entries[i].id, id) == 0)
			n++;
	return n;
}

/* Takes the name from whoever has it; then the view is stale. */
static void take_name(struct index *index, const char *name)
{
	json_t *descriptor;
	size_t i;

	json_array_foreach(index->manifests, i, descriptor)
	{
		const char *has = annotation(descriptor, KEY_NAME);
		const char *id = annotation(descriptor, KEY_ID);

		if (!has || !id || strcmp(has, name) != 0)
			continue;
		if (count_of(index, id) > 1)
			(void)json_array_remove(index->manifests, i);
		else
			(void)json_object_del(json_object_get(descriptor, "annotations"), KEY_NAME);
		return;
	}
}

/* Removes what `gone` says yes to. */
static void remove_where(struct index *index, bool (*gone)(const json_t *, const char *),
			 const char *id)
{
	size_t i = 0;

	while (i < json_array_size(index->manifests)) {
		if (gone(json_array_get(index->manifests, i), id))
			(void)json_array_remove(index->manifests, i);
		else
			i++;
	}
}

static bool is_nameless(const json_t *descriptor, const char *id)
{
	const char *has = annotation(descriptor, KEY_ID);

	return has && strcmp(has, id) == 0 && !annotation(descriptor, KEY_NAME);
}

static bool is_of_image(const json_t *descriptor, const char *id)
{
	const char *has = annotation(descriptor, KEY_ID);

	return has && strcmp(has, id) == 0;
}

int index_put(struct index *index, const struct index_entry *entry, struct error *err)
{
	json_t *descriptor =
		make_descriptor(entry); /* first: entry may be a view of the document */
	char id[IMAGE_ID_SIZE];

	if (!descriptor)
		return err_oom(err);
	(void)snprintf(id, sizeof(id), "%s", entry->id);
	if (entry->name) {
		take_name(index, annotation(descriptor, KEY_NAME));
		remove_where(index, is_nameless, id);
	} else if (count_of(index, id) > 0) {
		json_decref(descriptor); /* it is there, and a nameless entry adds nothing */
		return 0;
	}
	if (json_array_append_new(index->manifests, descriptor) < 0)
		return err_oom(err);
	return read_entries(index, err);
}

int index_unname(struct index *index, const char *name, struct error *err)
{
	take_name(index, name);
	return read_entries(index, err);
}

int index_drop(struct index *index, const char *id, struct error *err)
{
	char copy[IMAGE_ID_SIZE];

	(void)snprintf(copy, sizeof(copy), "%s", id);
	remove_where(index, is_of_image, copy);
	return read_entries(index, err);
}

int64_t index_time(const char *text)
{
	struct tm tm = { 0 };
	const char *rest;
	long offset = 0;

	if (!text)
		return 0;
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		return 0;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (*rest == '+' || *rest == '-') {
		int hours = 0;
		int minutes = 0;

		if (sscanf(rest + 1, "%2d:%2d", &hours, &minutes) == 2)
			offset = (hours * 3600L + minutes * 60L) * (*rest == '-' ? -1 : 1);
	}
	return (int64_t)timegm(&tm) - offset;
}
