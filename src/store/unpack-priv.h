/*
 * unpack-priv: a layer being unpacked, shared by the walk over its entries
 * (unpack.c) and the making of one object (unpack-object.c).
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "store/unpack.h"

struct archive_entry;

/* Times of a folder are set at the end: every entry made in it changes them. */
struct folder_times {
	char *path;
	struct timespec times[2];
};

struct unpacking {
	const struct unpack *unpack;
	struct tar_stream *stream;
	char parent[PATH_MAX]; /* folder that parent_fd is; valid while that is open */
	int parent_fd;
	struct folder_times *folders;
	size_t n_folders;
	size_t size_folders;
	uint64_t max_bytes;
	uint64_t bytes;
	uint64_t entries;
};

/* An entry whose name was cleaned and whose folder is open. */
struct unpack_entry {
	struct archive_entry *raw;
	const char *path; /* clean, "" for the root itself */
	const char *name; /* its last part */
	int parent_fd;	  /* borrowed */
};

int unpack_remember_times(struct unpacking *u, const char *path, const struct timespec *times,
			  struct error *err);

/* Makes the object in its folder; what had the name before gives way. */
int unpack_object(struct unpacking *u, const struct unpack_entry *entry, struct error *err);

/* Attributes for the target's root folder itself. */
int unpack_root(struct unpacking *u, const struct unpack_entry *entry, struct error *err);

/* Hides what the layers below have under that name. */
int unpack_whiteout(int parent_fd, const char *name, struct error *err);
int unpack_make_opaque(int dirfd, struct error *err);

/*
 * Name of an entry or of a hard link's target: "./a//b/" is "a/b". -EBADMSG:
 * absolute, with "..", too long or too deep. `ret` has PATH_MAX bytes.
 */
int unpack_clean_name(const char *raw, char *ret, struct error *err);

/* The folder of a clean path, beneath the target; folders that are missing are made if `make`. */
int unpack_open_parent(struct unpacking *u, const char *path, bool make, int *ret_fd,
		       struct error *err);
