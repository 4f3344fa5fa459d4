/*
 * change: what alters the store's index: adding, naming and removing images.
 *
 * Each of these takes the store's lock itself; the caller must not hold it.
 */
#pragma once

#include <stdbool.h>

#include "base/strv.h"

struct error;
struct store;

/* `name` as typed: "x" becomes "localhost/x:latest". An image that had the name loses it. */
int image_tag(struct store *store, const char *image, const char *name, struct error *err);

/* Without names all of the image's are removed. -ENOENT: the image does not have that name. */
int image_untag(struct store *store, const char *image, char *const *names, size_t n_names,
		struct error *err);

/* Who uses an image. Called with the store held exclusively. */
struct image_users {
	/* Adds the ids of containers made from the image (64 hex digits). */
	int (*list)(void *arg, const char *image_id, struct strv *ret_containers,
		    struct error *err);
	/* Removes them all, running or not; only called when forced. */
	int (*remove)(void *arg, const struct strv *containers, struct error *err);
	void *arg;
};

/* What a removal did, in order: names taken away, ids of images that went. */
struct image_removal {
	struct strv untagged;
	struct strv deleted;
};

#define IMAGE_REMOVAL_INIT                                                                         \
	{                                                                                          \
		.untagged = STRV_INIT                                                              \
	}

/*
 * Takes a name away and, with the last one, the image. By id it must have no
 * more than one name, unless forced.
 * -ENOENT: not known. -EBUSY: containers use it, or it has several names.
 */
int image_remove(struct store *store, const char *name, bool force, const struct image_users *users,
		 struct image_removal *ret_removal, struct error *err);

void image_removal_done(struct image_removal *removal);

#define cleanup_image_removal __attribute__((cleanup(image_removal_done)))
