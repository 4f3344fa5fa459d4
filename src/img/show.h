/*
 * show: an image file as JSON, shaped as `crit show` shapes it.
 *
 *	{ "magic": "CORE", "entries": [ { "mtype": "X86_64", ... }, ... ] }
 *
 * Raw bytes behind a record are its "extra" (base64). Numbers with a better
 * reading are strings (img/show-style.h). Unknown fields are left out.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "img/image.h"
#include "img/jsonw.h"

struct error;

/*
 * Reads the freshly opened image to its end. `sizes_only`: of raw bytes only
 * how many there are. After a failure the JSON is cut off where it was.
 */
int show_image(struct image *image, bool sizes_only, struct jsonw *json, struct error *err);

/*
 * A file (its kind is what its magic says), or a folder: one object with a
 * member for each image in it. Raw files of a folder show their size.
 */
int show_path(int dirfd, const char *path, bool sizes_only, struct jsonw *json, struct error *err);

/* One record. `readable` false: all numbers decimal. */
void show_record(const ProtobufCMessage *message, bool readable, struct jsonw *json);
