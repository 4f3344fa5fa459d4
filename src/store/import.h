/*
 * import: make a one-layer image from a root file system, or from a ready tar.
 */
#pragma once

#include "base/strv.h"

struct error;
struct store;

struct import_options {
	const char *name;    /* as typed; NULL: the image gets no name */
	const char *message; /* the comment of its history; NULL: none */
	const char *os;
	const char *arch;
	const char *variant;
	struct strv changes;	 /* "CMD ...", "ENV A=b", ...: Dockerfile lines */
	struct strv annotations; /* of the manifest, "key=value" */
};

/*
 * `source`: a folder, a tar file (gzip, bzip2, xz, zstd or plain), or "-": a
 * tar on descriptor `in`. The new image's id is in ret_id (IMAGE_ID_SIZE bytes).
 */
int image_import(struct store *store, const char *source, int in,
		 const struct import_options *options, char *ret_id, struct error *err);
