/*
 * folder-tar: a folder on disk as a tar.
 *
 * Owners, modes, times, extended attributes, hard links and holes are kept;
 * sockets, which no tar has, are left out; other file systems mounted below are
 * left out too. Entries come in the order of the disk.
 */
#pragma once

#include <stdint.h>

#include "store/tar-sink.h"

struct error;

enum folder_tar_kind {
	FOLDER_TAR_WHOLE,
	FOLDER_TAR_UPPER, /* of an overlay: without its whiteouts and overlayfs' own attributes */
};

int folder_tar_write(const char *path, enum folder_tar_kind kind, const struct tar_sink *sink,
		     struct error *err);

/*
 * How many bytes that would be, for those who must say so first, and how many
 * entries beside the folder's own. No content is read; it holds as long as nothing changes below.
 */
int folder_tar_measure(const char *path, enum folder_tar_kind kind, uint64_t *ret_size,
		       uint64_t *ret_entries, struct error *err);
