/*
 * index: index.json of the layout: the one list of what the store has.
 *
 * One entry (an OCI descriptor) for each name of an image, or one without a
 * name. What `images` shows is kept in the entry's annotations, so that
 * listing and looking up read this one file:
 *
 *	org.opencontainers.image.ref.name   the full name with its tag
 *	org.opencontainers.image.created    time of creation, RFC 3339
 *	io.cryopod.image.id                 digest of the config, hex
 *	io.cryopod.image.size               bytes of the layers unpacked
 *	io.cryopod.image.source-digest      digest the registry has for it
 *
 * Entries that others put there, without an id, are kept and not shown.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "store/digest.h"
#include "store/image.h"

struct error;
struct store;

#define INDEX_MAX_BYTES (64 << 20)

struct index_entry {
	struct digest manifest;
	uint64_t manifest_size;
	const char *media_type; /* borrowed from the document, as the strings below */
	const char *name;	/* NULL: none */
	const char *id;
	const char *created;	   /* RFC 3339 */
	const char *source_digest; /* NULL: none */
	uint64_t size;
};

struct index {
	json_t *document;
	json_t *manifests;	     /* borrowed from it */
	struct index_entry *entries; /* ours only, in the order of the file */
	size_t n;
};

#define INDEX_INIT                                                                                 \
	{                                                                                          \
		.document = NULL                                                                   \
	}

/* An absent file is an empty index. -EBADMSG: damaged. */
int index_load(struct store *store, struct index *ret_index, struct error *err);

/* The changes below are made in memory; this writes them. The caller holds the store. */
int index_save(struct store *store, const struct index *index, struct error *err);

/*
 * Adds an entry, or gives the name to another image: the entry that had it
 * stays as a nameless one, if it was its image's last. A nameless entry of
 * the same image goes when it gets a name. Strings of `entry` are copied.
 */
int index_put(struct index *index, const struct index_entry *entry, struct error *err);

/* Takes a name away. The image's last entry stays, without a name. */
int index_unname(struct index *index, const char *name, struct error *err);

/* Removes all entries of an image. */
int index_drop(struct index *index, const char *id, struct error *err);

void index_done(struct index *index);

/* RFC 3339 to seconds since 1970; 0 for what can't be read. */
int64_t index_time(const char *text);

#define cleanup_index __attribute__((cleanup(index_done)))
