/*
 * store: images and their layers on disk.
 *
 *	ROOT/images/oci-layout, index.json, blobs/sha256/HEX   an OCI image layout
 *	ROOT/images/tmp/KIND.XXXXXX/    work under way, each under its own lock
 *	ROOT/layers/CHAINID/diff/       an unpacked layer: an overlay lower folder
 *	ROOT/layers/tmp.XXXXXX/         one being unpacked
 *	ROOT/images/lock                see below
 *
 * Everything is written beside its place and renamed into it; index.json is
 * the one truth of what there is. Whatever a crash leaves behind (blobs and
 * layers that no entry of the index needs, work nobody holds the lock of) is
 * removed by the next command that changes the store.
 *
 * Locking: readers take nothing, since index.json is replaced as a whole. Who
 * looks an image up in order to *use* it (make a container of it) holds the
 * store from before the look-up until the use is recorded where the
 * image_users callback finds it: then no rmi comes between. Who changes the
 * index holds it exclusively. Order: the store's lock,
 * then a container's, then a database's.
 */
#pragma once

#include "base/lock.h"

struct error;
struct store;

/* Makes what is missing of the folders. `root`: "/var/lib/cryopod"; may be relative. */
int store_open(const char *root, struct store **ret_store, struct error *err);

/* NULL is allowed. */
void store_close(struct store *store);

/* Absolute, without symlinks. */
const char *store_root(const struct store *store);

/* Shared: images looked up from now on stay until the lock is released. */
int store_hold(struct store *store, struct lock *ret_lock, struct error *err);

static inline void store_close_p(struct store **store)
{
	store_close(*store);
}

#define cleanup_store __attribute__((cleanup(store_close_p)))
