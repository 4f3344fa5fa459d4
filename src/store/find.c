#include "store/find.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "store/digest.h"
#include "store/index.h"
#include "store/name.h"

static bool has_digest(const struct index_entry *entry, const char *digest)
{
	return strcmp(entry->manifest.text, digest) == 0 ||
	       (entry->source_digest && strcmp(entry->source_digest, digest) == 0);
}

/*
 * "REPOSITORY@DIGEST": the image of that digest, if one of its names is in that
 * repository. One pulled by its digest alone has no name, and belongs to any.
 */
static bool is_pinned(const struct index_entry *entry, const char *full)
{
	const char *at = strchr(full, '@');
	size_t len;

	if (!at || !has_digest(entry, at + 1))
		return false;
	if (!entry->name)
		return true;
	(void)name_split_tag(entry->name, &len);
	return len == (size_t)(at - full) && memcmp(entry->name, full, len) == 0;
}

static const struct index_entry *by_full_name(const struct index *index, const char *full)
{
	for (size_t i = 0; i < index->n; i++) {
		const struct index_entry *entry = &index->entries[i];

		if ((entry->name && strcmp(entry->name, full) == 0) || is_pinned(entry, full))
			return entry;
	}
	return NULL;
}

/* "team/app:v1" is the end of "quay.io/team/app:v1". */
static const struct index_entry *by_end_of_name(const struct index *index, const char *typed)
{
	cleanup_name struct name name = NAME_INIT;
	cleanup_free char *end = NULL;
	size_t len;

	if (name_parse(typed, &name, NULL) < 0 || name.has_domain ||
	    name_format(&name, &end, NULL) < 0)
		return NULL;
	len = strlen(end);
	for (size_t i = 0; i < index->n; i++) {
		const char *full = index->entries[i].name;
		size_t full_len = full ? strlen(full) : 0;

		if (full_len > len + 1 && full[full_len - len - 1] == '/' &&
		    strcmp(full + full_len - len, end) == 0)
			return &index->entries[i];
	}
	return NULL;
}

/* -ENOENT, or -ENOTUNIQ when two images have ids that begin so. */
static int by_id(const struct index *index, const char *typed, const struct index_entry **ret_entry,
		 struct error *err)
{
	const struct index_entry *found = NULL;
	size_t len;

	if (strncmp(typed, DIGEST_PREFIX, sizeof(DIGEST_PREFIX) - 1) == 0)
		typed += sizeof(DIGEST_PREFIX) - 1;
	len = strlen(typed);
	if (len == 0 || len > DIGEST_HEX_LEN || !digest_is_hex(typed, len))
		return -ENOENT;
	for (size_t i = 0; i < index->n; i++) {
		const struct index_entry *entry = &index->entries[i];

		if (strncmp(entry->id, typed, len) != 0)
			continue;
		if (found && strcmp(found->id, entry->id) != 0)
			return err_set(err, -ENOTUNIQ,
				       "%s: several images have an id that begins so", typed);
		if (!found)
			found = entry;
	}
	if (!found)
		return -ENOENT;
	*ret_entry = found;
	return 0;
}

static const struct index_entry *by_digest(const struct index *index, const char *typed)
{
	for (size_t i = 0; i < index->n; i++)
		if (has_digest(&index->entries[i], typed))
			return &index->entries[i];
	return NULL;
}

static int by_name(const struct index *index, const char *typed,
		   const struct index_entry **ret_entry, struct error *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	const struct index_entry *found = NULL;
	int r;

	r = name_candidates(typed, &names, err);
	if (r < 0)
		return r;
	for (size_t i = 0; !found && i < names.n; i++)
		found = by_full_name(index, names.items[i]);
	if (!found)
		found = by_end_of_name(index, typed);
	if (!found)
		return -ENOENT;
	*ret_entry = found;
	return 0;
}

int find_entry(const struct index *index, const char *typed, const struct index_entry **ret_entry,
	       bool *ret_by_name, struct error *err)
{
	const struct index_entry *found = NULL;
	struct error why = ERROR_INIT;
	bool named;
	int r;

	r = by_name(index, typed, &found, &why);
	named = r == 0 && !strchr(typed, '@');
	if (r == -EBADMSG || r == -ENOMEM) /* registries.conf can't be read: not the name's fault */
		return err_set(err, r, "%s", why.text);
	if (!found)
		found = by_digest(index, typed);
	if (!found) {
		r = by_id(index, typed, &found, err);
		if (r == -ENOTUNIQ)
			return r;
	}
	if (!found)
		return err_set(err, -ENOENT, "%s: image not known", typed);
	*ret_entry = found;
	if (ret_by_name)
		*ret_by_name = named;
	return 0;
}
