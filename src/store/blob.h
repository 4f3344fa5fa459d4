/*
 * blob: the content-addressed files of the layout.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "store/digest.h"

struct error;

#define BLOB_JSON_MAX (8 << 20) /* manifests and configs; registries allow 4 MiB */

bool blob_exists(int blobs_fd, const struct digest *digest);

int blob_open(int blobs_fd, const struct digest *digest, int *ret_fd, struct error *err);

/* A manifest or config: read whole, and -EBADMSG if its content is not what its name says. */
int blob_read(int blobs_fd, const struct digest *digest, char **ret_data, size_t *ret_len,
	      struct error *err);

/* Writes a small blob (synced by whoever moves it into the store). */
int blob_write(int blobs_fd, const void *data, size_t len, struct digest *ret_digest,
	       struct error *err);

/* -EBADMSG if the file's content is not what its name says. Reads it all. */
int blob_verify(int blobs_fd, const struct digest *digest, struct error *err);
