/*
 * archive-writer: a tar, compressed as it comes, member by member.
 *
 *	cleanup_archive_writer struct archive_writer *w = NULL;
 *	r = archive_writer_open(fd, ARCHIVE_ZSTD, &w, err);
 *	r = archive_writer_bytes(w, "config.dump", text, len, err);
 *	r = archive_writer_tree(w, "checkpoint", folder_fd, err);
 *	r = archive_writer_finish(w, err);
 *
 * Members belong to 0:0; files are 0600, folders 0700. A member that is a tar itself
 * (archive_writer_begin) needs its size told first: folder_tar_size() knows it.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "store/tar-sink.h"

struct archive_writer;
struct error;

enum archive_compression { ARCHIVE_ZSTD, ARCHIVE_GZIP, ARCHIVE_PLAIN };

/* `fd` is borrowed and written to from where it stands; it may be a pipe. */
int archive_writer_open(int fd, enum archive_compression compression,
			struct archive_writer **ret_writer, struct error *err);

int archive_writer_folder(struct archive_writer *w, const char *name, struct error *err);
int archive_writer_bytes(struct archive_writer *w, const char *name, const void *data, size_t len,
			 struct error *err);

/* A regular file below a folder under another name. -ENOENT: there is none. */
int archive_writer_file(struct archive_writer *w, const char *name, int dirfd, const char *path,
			struct error *err);

/* A folder with the regular files, folders and symbolic links in it. */
int archive_writer_tree(struct archive_writer *w, const char *name, int dirfd, struct error *err);

/* A member of `size` bytes, which go to the sink; what is missing at the end is filled with zeros,
 * more is -EFBIG. */
int archive_writer_begin(struct archive_writer *w, const char *name, uint64_t size,
			 struct tar_sink *ret_sink, struct error *err);
int archive_writer_end(struct archive_writer *w, struct error *err);

/* All is written; the descriptor is the caller's to sync and close. */
int archive_writer_finish(struct archive_writer *w, struct error *err);

/* NULL is allowed. */
void archive_writer_free(struct archive_writer *w);

static inline void archive_writer_free_p(struct archive_writer **w)
{
	archive_writer_free(*w);
}

#define cleanup_archive_writer __attribute__((cleanup(archive_writer_free_p)))
