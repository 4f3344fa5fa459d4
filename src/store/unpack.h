/*
 * unpack: a layer's tar into a folder that overlayfs can use as lower.
 *
 *	.wh.NAME       becomes the 0/0 character device NAME
 *	.wh..wh..opq   becomes trusted.overlay.opaque=y on its folder
 *
 * The tar comes from a stranger. Every folder on the way of an entry is opened
 * beneath the target by the kernel (openat2), names with ".." and absolute
 * ones are refused, hard links may only point into the layer itself, and
 * overlayfs' own attributes are not taken from the tar. A folder that no entry
 * describes gets owner, mode and times of the one below it, if there is one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/tar-stream.h"

struct error;

struct unpack {
	int into;	   /* the empty target folder; borrowed */
	const int *lowers; /* folders of the layers below, topmost first; borrowed */
	size_t n_lowers;
	uint64_t max_bytes;   /* of content; 0: what is free on the disk, less a reserve */
	uint64_t max_entries; /* 0: UNPACK_MAX_ENTRIES */
	enum tar_compression compression;
	bool no_whiteouts; /* ".wh.NAME" is a name like any other: no layer, but a plain folder */
};

#define UNPACK_MAX_ENTRIES 10000000
#define UNPACK_MAX_DEPTH 256	    /* folders within each other */
#define UNPACK_MAX_XATTRS (1 << 20) /* bytes of extended attributes of one entry */

struct unpacked {
	struct digest blob;
	struct digest diff_id;
	uint64_t size; /* bytes of content */
	uint64_t entries;
};

/*
 * On failure the target holds what came before; the caller removes it.
 * -EBADMSG: damaged, or not acceptable. -ENOSPC: more than max_bytes.
 */
int unpack_tar(const struct unpack *unpack, int fd, struct unpacked *ret_unpacked,
	       struct error *err);

/*
 * A name that a container had deleted ("/etc/motd") becomes a whiteout in the target, its upper
 * folder. That may hold things already: one of that name stays, and hides what is below.
 */
int unpack_deleted(const struct unpack *unpack, const char *path, struct error *err);
