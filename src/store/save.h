/*
 * save: an image into an archive or folder that other tools load.
 */
#pragma once

struct error;
struct store;

/*
 * `format`: "docker-archive", "oci-archive", "oci-dir" or "docker-dir". `output`: the
 * file or folder; a file is replaced when the new one is complete. A name
 * that was typed as a name goes along.
 */
int image_save(struct store *store, const char *image, const char *format, const char *output,
	       struct error *err);
