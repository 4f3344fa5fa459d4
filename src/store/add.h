/*
 * add: an image whose blobs are at hand becomes one of the store's.
 */
#pragma once

#include <stdint.h>

#include "store/digest.h"

struct error;
struct work;

struct new_image {
	int blobs_fd; /* folder below the work's, with all blobs by hex name; borrowed */
	struct digest manifest;
	const char *name;	   /* full, with tag; NULL: none */
	const char *source_digest; /* NULL: the manifest's own */
};

/*
 * Verifies everything, unpacks the layers that are missing, and then, in one
 * short moment of holding the store, moves blobs and layers into their places
 * and names the image in the index. ret_id has IMAGE_ID_SIZE bytes.
 */
int image_add(struct work *work, const struct new_image *image, char *ret_id, struct error *err);
