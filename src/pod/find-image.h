/*
 * find-image: the image of a new container, pulled if it is not here.
 */
#pragma once

struct error;
struct image;
struct lock;
struct store;

/*
 * `policy`: "missing" (or NULL), "always", "newer" or "never". On success the
 * store is held (*ret_hold): the image stays until the lock is released.
 * -ENOENT: not here, and not to be pulled. -EINVAL: no such policy.
 */
int find_image(struct store *store, const char *name, const char *policy, struct lock *ret_hold,
	       struct image **ret_image, struct error *err);
