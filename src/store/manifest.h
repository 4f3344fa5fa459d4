/*
 * manifest: which config and which layers an image has; and the config's own
 * list of what the layers are unpacked.
 *
 * Both are documents from strangers: sizes, counts and digests are checked
 * here, once, and plain structs come out.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/strv.h"
#include "store/digest.h"

struct error;

#define MANIFEST_MAX_LAYERS 500 /* overlayfs has no more lower folders */

struct manifest {
	struct digest config;
	struct digest *layers; /* lowest first */
	size_t n_layers;
	struct strv annotations; /* "key=value" */
};

#define MANIFEST_INIT                                                                              \
	{                                                                                          \
		.layers = NULL                                                                     \
	}

/* -EBADMSG: damaged, or of a kind that is no image (a list, an artifact). */
int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest, struct error *err);
void manifest_done(struct manifest *manifest);

/* Blobs named by any JSON of the layout, manifests in a list included. */
int manifest_references(const char *text, size_t len,
			int (*found)(void *arg, const struct digest *digest, bool is_manifest,
				     struct error *err),
			void *arg, struct error *err);

/* rootfs.diff_ids of a config, and the chain ids that follow from them. */
struct diff_ids {
	struct digest *diffs; /* lowest first */
	struct digest *chains;
	size_t n;
};

#define DIFF_IDS_INIT                                                                              \
	{                                                                                          \
		.diffs = NULL                                                                      \
	}

int diff_ids_parse(const char *config, size_t len, struct diff_ids *ret_ids, struct error *err);
void diff_ids_done(struct diff_ids *ids);

#define cleanup_manifest __attribute__((cleanup(manifest_done)))
#define cleanup_diff_ids __attribute__((cleanup(diff_ids_done)))
