#include "store/tar-stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

#define CHUNK (256 * 1024)

/*
 * libarchive reads the bytes of a plain or compressed file as the one entry of
 * a "raw" archive (outer); these bytes are then its tar (inner).
 */
struct tar_stream {
	int fd; /* borrowed */
	struct archive *outer;
	struct archive *inner; /* made when the first entry is asked for */
	struct hasher blob;
	struct hasher diff_id;
	bool outer_ended;
	locale_t utf8;
	locale_t before;
	char chunk[CHUNK];
};

static la_ssize_t read_file(struct archive *a, void *arg, const void **ret_data)
{
	struct tar_stream *s = arg;
	ssize_t n;

	do {
		n = read(s->fd, s->chunk, sizeof(s->chunk));
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		archive_set_error(a, errno, "read: %s", strerror(errno));
		return -1;
	}
	hasher_add(&s->blob, s->chunk, (size_t)n);
	*ret_data = s->chunk;
	return n;
}

/* Next piece of decompressed bytes: its length, 0 at the end, or negative. */
static la_ssize_t read_outer(struct tar_stream *s, const void **ret_data)
{
	la_int64_t offset;
	size_t len = 0;
	int r;

	while (!s->outer_ended && len == 0) {
		r = archive_read_data_block(s->outer, ret_data, &len, &offset);
		if (r == ARCHIVE_EOF)
			s->outer_ended = true;
		else if (r < ARCHIVE_WARN)
			return -1;
	}
	if (s->outer_ended)
		return 0;
	hasher_add(&s->diff_id, *ret_data, len);
	return (la_ssize_t)len;
}

static la_ssize_t read_decompressed(struct archive *a, void *arg, const void **ret_data)
{
	struct tar_stream *s = arg;
	la_ssize_t n = read_outer(s, ret_data);

	if (n < 0)
		archive_set_error(a, archive_errno(s->outer), "%s", archive_error_string(s->outer));
	return n;
}

/* libarchive's complaint. Its errno is its own mixture: what is wrong is the data. */
static int tell(struct archive *a, struct error *err)
{
	const char *why = archive_error_string(a);

	if (archive_errno(a) == ENOMEM)
		return err_oom(err);
	return err_set(err, -EBADMSG, "damaged archive: %s", why ? why : "unknown reason");
}

static int open_outer(struct tar_stream *s, enum tar_compression allowed, struct error *err)
{
	struct archive_entry *entry;
	int r;

	s->outer = archive_read_new();
	if (!s->outer)
		return err_oom(err);
	(void)archive_read_support_filter_gzip(s->outer);
	(void)archive_read_support_filter_zstd(s->outer);
	if (allowed == TAR_ANY) {
		(void)archive_read_support_filter_bzip2(s->outer);
		(void)archive_read_support_filter_xz(s->outer);
	}
	(void)archive_read_support_format_raw(s->outer);
	(void)archive_read_support_format_empty(s->outer);
	if (archive_read_open(s->outer, s, NULL, read_file, NULL) != ARCHIVE_OK)
		return tell(s->outer, err);
	r = archive_read_next_header(s->outer, &entry);
	if (r == ARCHIVE_EOF)
		s->outer_ended = true;
	else if (r < ARCHIVE_WARN)
		return tell(s->outer, err);
	return 0;
}

int tar_stream_open(int fd, enum tar_compression allowed, struct tar_stream **ret_stream,
		    struct error *err)
{
	cleanup_tar_stream struct tar_stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_oom(err);
	s->fd = fd;
	hasher_init(&s->blob);
	hasher_init(&s->diff_id);
	/*
	 * pax headers are UTF-8, and libarchive gives no name at all for what the
	 * locale can't express. glibc has this locale built in.
	 */
	s->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (s->utf8)
		s->before = uselocale(s->utf8);
	r = open_outer(s, allowed, err);
	if (r < 0)
		return r;
	*ret_stream = take_ptr(&s);
	return 0;
}

static int open_inner(struct tar_stream *s, struct error *err)
{
	s->inner = archive_read_new();
	if (!s->inner)
		return err_oom(err);
	(void)archive_read_support_format_tar(s->inner);
	(void)archive_read_support_format_empty(s->inner);
	if (archive_read_open(s->inner, s, NULL, read_decompressed, NULL) != ARCHIVE_OK)
		return tell(s->inner, err);
	return 0;
}

int tar_stream_next(struct tar_stream *s, struct archive_entry **ret_entry, struct error *err)
{
	int r;

	if (!s->inner) {
		r = open_inner(s, err);
		if (r < 0)
			return r;
	}
	r = archive_read_next_header(s->inner, ret_entry);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN) /* a warning is about a name's characters; the reader looks */
		return tell(s->inner, err);
	return 1;
}

int tar_stream_data(struct tar_stream *s, const void **ret_data, size_t *ret_len,
		    uint64_t *ret_offset, struct error *err)
{
	la_int64_t offset = 0;
	int r;

	r = archive_read_data_block(s->inner, ret_data, ret_len, &offset);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN)
		return tell(s->inner, err);
	*ret_offset = (uint64_t)offset;
	return 1;
}

int tar_stream_bytes(struct tar_stream *s, const void **ret_data, size_t *ret_len,
		     struct error *err)
{
	la_ssize_t n = read_outer(s, ret_data);

	if (n < 0)
		return tell(s->outer, err);
	*ret_len = (size_t)n;
	return n > 0;
}

int tar_stream_finish(struct tar_stream *s, struct digest *ret_blob, struct digest *ret_diff_id,
		      struct error *err)
{
	const void *data;
	la_ssize_t n;

	do {
		n = read_outer(s, &data);
	} while (n > 0);
	if (n < 0)
		return tell(s->outer, err);
	do { /* bytes behind the compressed stream belong to the blob all the same */
		n = read_file(s->outer, s, &data);
	} while (n > 0);
	if (n < 0)
		return tell(s->outer, err);
	hasher_finish(&s->blob, ret_blob);
	hasher_finish(&s->diff_id, ret_diff_id);
	return 0;
}

void tar_stream_free(struct tar_stream *s)
{
	int saved = errno;

	if (!s)
		return;
	(void)archive_read_free(s->inner); /* nothing to write back; takes NULL */
	(void)archive_read_free(s->outer);
	if (s->utf8) {
		(void)uselocale(s->before);
		freelocale(s->utf8);
	}
	free(s);
	errno = saved;
}
