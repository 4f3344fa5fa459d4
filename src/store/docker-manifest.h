/*
 * docker-manifest: Docker's manifest (version 2, schema 2) as an OCI one.
 *
 * The two name the same blobs by the same digests; only the media types
 * differ. The config stays byte for byte, and with it the image's id, which
 * is why skopeo must not do this (it writes the config anew).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "store/digest.h"

struct error;

/* The text is Docker's: by its media type, or, without one, by its config's. */
bool docker_manifest_is(const char *text, size_t len);

/*
 * Writes the OCI manifest into `blobs_fd`, where the blobs are already: a layer's type is
 * told by its first bytes. -EOPNOTSUPP: the elder schema 1.
 */
int docker_manifest_convert(int blobs_fd, const char *text, size_t len, struct digest *ret_manifest,
			    struct error *err);
