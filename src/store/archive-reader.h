/*
 * archive-reader: an archive of a checkpoint, member by member: a tar, plain or
 * compressed with gzip or zstd. It comes from a stranger.
 *
 *	cleanup_archive_reader struct archive_reader *a = NULL;
 *	r = archive_reader_open(fd, &a, err);
 *	while ((r = archive_reader_next(a, &member, err)) > 0)
 *		...archive_reader_slurp() or archive_reader_save(), or neither: then it is skipped
 *
 * Names are clean: relative, without "." and "..", no slash at the end.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

struct archive_reader;
struct error;

enum archive_member_kind { ARCHIVE_FILE, ARCHIVE_FOLDER, ARCHIVE_OTHER };

struct archive_member {
	const char *name; /* valid until the next one */
	enum archive_member_kind kind;
	uint64_t size;
};

/* `fd` is borrowed and read from where it stands. -EBADMSG: it is no archive. */
int archive_reader_open(int fd, struct archive_reader **ret_reader, struct error *err);

/* 1: *ret is the next one; 0: the end. -EBADMSG: damaged, or a name that leads out. */
int archive_reader_next(struct archive_reader *a, struct archive_member *ret, struct error *err);

/* The whole content, zero-terminated, the caller's. -EFBIG: more than max bytes. */
int archive_reader_slurp(struct archive_reader *a, size_t max, char **ret_data, size_t *ret_len,
			 struct error *err);

/* The content is written to a descriptor, from where that stands. */
int archive_reader_save(struct archive_reader *a, int fd, struct error *err);

/* NULL is allowed. */
void archive_reader_free(struct archive_reader *a);

static inline void archive_reader_free_p(struct archive_reader **a)
{
	archive_reader_free(*a);
}

#define cleanup_archive_reader __attribute__((cleanup(archive_reader_free_p)))
