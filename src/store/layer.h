/*
 * layer: unpacked layers, ROOT/layers/CHAINID/.
 *
 * A layer is unpacked in the folder of the work under way and renamed into
 * its place when the disk has it all, so a folder with that name is always
 * whole. layer.json beside its diff/ says how big it is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/digest.h"

struct error;
struct store;
struct work;

bool layer_exists(struct store *store, const struct digest *chain);

/* Absolute path of its content; the caller's. NULL: out of memory. */
char *layer_path(struct store *store, const struct digest *chain);

/* Bytes of its content. */
int layer_size(struct store *store, const struct digest *chain, uint64_t *ret_size,
	       struct error *err);

struct layer_plan {
	const struct digest *blob;    /* in the work's blobs, or in the store's */
	const struct digest *diff_id; /* what the unpacked tar must have */
	const struct digest *chains;  /* this layer's is the last of n_chains, lowest first */
	size_t n_chains;
};

/* Unpacks into the work folder as CHAINID. -EBADMSG: a digest is wrong. */
int layer_unpack(struct work *work, int blobs_fd, const struct layer_plan *plan, struct error *err);

/* Moves it into its place; if it is there by now, nothing happens. The caller holds the store. */
int layer_commit(struct work *work, const struct digest *chain, struct error *err);
