/*
 * import: a container made again from the archive of its checkpoint.
 *
 * All that the archive says is looked at before anything is made: is it a
 * checkpoint, of this runtime, are its image (pulled if it is missing), names and
 * volumes to be had. What comes out is an exited container with a checkpoint, as
 * checkpoint_restore() takes it; after a failure there is nothing.
 */
#pragma once

#include <stdbool.h>

#include "pod/container.h"

struct error;
struct pod;

struct import_options {
	const char *file; /* "-": standard input */
	const char *name; /* NULL: name and id that it had; else this one and a new id */
	bool ignore_rootfs;
	bool ignore_volumes;
};

/* `ret_id` has ID_LEN + 1 bytes. -EEXIST: name, id or volume are there already. -EBADMSG: the
 * archive is none, or damaged. */
int checkpoint_import(struct pod *pod, const struct import_options *o, char *ret_id,
		      struct error *err);

/* Takes back what an import has made, when its restore fails. Best effort. */
void checkpoint_import_undo(struct pod *pod, const char *id, const struct import_options *o);
