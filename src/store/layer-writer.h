/*
 * layer-writer: the bytes of a tar on their way into a blob: hashed (diffID),
 * compressed with zstd, hashed again (the blob's digest), written.
 *
 * Level 1: a layer is made once and read a few times on the same machine;
 * there is nothing to gain from squeezing it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/digest.h"

struct error;
struct layer_writer;

struct new_layer {
	struct digest blob;
	struct digest diff_id;
	uint64_t blob_size;
};

/* `blobs_fd`: where the blob will be; borrowed. */
int layer_writer_open(int blobs_fd, struct layer_writer **ret_writer, struct error *err);
int layer_writer_add(struct layer_writer *writer, const void *data, size_t len, struct error *err);

/* Ends the blob and gives it its name. */
int layer_writer_finish(struct layer_writer *writer, struct new_layer *ret_layer,
			struct error *err);

/* NULL is allowed. An unfinished blob is removed. */
void layer_writer_free(struct layer_writer *writer);

static inline void layer_writer_free_p(struct layer_writer **writer)
{
	layer_writer_free(*writer);
}

#define cleanup_layer_writer __attribute__((cleanup(layer_writer_free_p)))
