/*
 * streams: what a container's standard input, output and error were when it was made.
 *
 * Whoever restores a container brings its own in their place. What they are is
 * looked at when the container is made, not when it is saved: by then its first
 * process may have redirected them for a while (a shell does, for a function
 * with a redirection), with the ones it got put aside.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/json.h"

struct container;
struct error;

#define STREAMS_N 3
#define STREAMS_FILE                                                                               \
	"descriptors.json" /* in the container's folder, and in the images, as runc has it */

/* The container's process is there, and has run nothing of its program. */
int streams_note(const struct container *c, pid_t pid, struct error *err);

/* ... was restored: descriptor i is what our own i is, if own[i], else what it was. */
int streams_note_restored(const struct container *c, const json_t *list, const bool own[STREAMS_N],
			  struct error *err);

/* Into the images, and from there: an array of three strings. */
int streams_save(const struct container *c, int images, struct error *err);
int streams_load(int images, json_t **ret_list, struct error *err);
