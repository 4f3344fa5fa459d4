/*
 * skopeo: the program that speaks with registries and reads archives.
 *
 * It runs in the work folder. What it copies ends in the OCI layout "layout"
 * there, whose blobs begin as hard links to the store's.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "store/digest.h"

struct error;
struct pull_options;
struct work;

/* The manifest behind a reference ("docker://..."), byte by byte. */
int skopeo_raw_manifest(const char *reference, const struct pull_options *options,
			struct buf *ret_manifest, struct error *err);

enum skopeo_into {
	SKOPEO_OCI,    /* what we have is not fetched again; Docker's configs come out changed */
	SKOPEO_FOLDER, /* everything is fetched, and stays byte for byte */
};

/*
 * Copies one image into the work's layout and returns its (OCI) manifest's
 * digest. `reference` must not depend on the current folder.
 */
int skopeo_copy(struct work *work, const char *reference, enum skopeo_into into,
		const struct pull_options *options, struct digest *ret_manifest, struct error *err);

/* The other way: from a reference within the work folder to anywhere. */
int skopeo_copy_out(struct work *work, const char *from, const char *to, struct error *err);

/* Folder of the layout's blobs, made at the first call; the caller closes it. */
int skopeo_blobs(struct work *work, int *ret_fd, struct error *err);
