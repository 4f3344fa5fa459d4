/*
 * tar-stream: a tar read as it comes, with both of its digests.
 *
 *	descriptor -> hash -> decompress -> hash -> tar
 *	           (blob)               (diffID)
 *
 * Nothing is kept but one block. Names are UTF-8, whatever the locale of the
 * process: a stream switches its thread's locale while it works.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/digest.h"

struct archive_entry;
struct error;
struct tar_stream;

enum tar_compression {
	TAR_LAYER, /* what a layer may be: plain, gzip or zstd */
	TAR_ANY,   /* also bzip2 and xz: what people hand to import */
};

/* `fd` is borrowed and read from where it stands. */
int tar_stream_open(int fd, enum tar_compression allowed, struct tar_stream **ret_stream,
		    struct error *err);

/* 1: *ret_entry is the next one (borrowed until the next call). 0: end of the tar. */
int tar_stream_next(struct tar_stream *stream, struct archive_entry **ret_entry, struct error *err);

/* Content of the entry. 1: a piece that belongs at *ret_offset; 0: no more. Holes are left out. */
int tar_stream_data(struct tar_stream *stream, const void **ret_data, size_t *ret_len,
		    uint64_t *ret_offset, struct error *err);

/*
 * The tar's own bytes instead of its entries. 1: a piece; 0: end. Not to be
 * mixed with tar_stream_next().
 */
int tar_stream_bytes(struct tar_stream *stream, const void **ret_data, size_t *ret_len,
		     struct error *err);

/* Reads what is left behind the tar's end; then both digests stand. */
int tar_stream_finish(struct tar_stream *stream, struct digest *ret_blob,
		      struct digest *ret_diff_id, struct error *err);

/* NULL is allowed. */
void tar_stream_free(struct tar_stream *stream);

static inline void tar_stream_free_p(struct tar_stream **stream)
{
	tar_stream_free(*stream);
}

#define cleanup_tar_stream __attribute__((cleanup(tar_stream_free_p)))
