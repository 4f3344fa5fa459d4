#include "store/archive-reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "store/unpack-priv.h"

#define BLOCK_SIZE ((size_t)256 << 10)
#define MEMBERS_MAX 1000000

struct archive_reader {
	struct archive *tar;
	struct archive_entry *entry; /* the current one; the archive's own */
	char name[PATH_MAX];
	uint64_t n;
	locale_t utf8;
	locale_t before;
};

static int tell(const struct archive_reader *a, struct error *err)
{
	const char *why = archive_error_string(a->tar);
	int code = archive_errno(a->tar);

	/* What libarchive says of the format is damage; a number of the system's is the system's.
	 */
	return err_set(err, code == EIO || code == ENOMEM ? -code : -EBADMSG, "%s%s%s",
		       a->entry ? a->name : "", a->entry ? ": " : "",
		       why ? why : "damaged archive");
}

int archive_reader_open(int fd, struct archive_reader **ret_reader, struct error *err)
{
	cleanup_archive_reader struct archive_reader *a = calloc(1, sizeof(*a));

	if (!a)
		return err_oom(err);
	a->tar = archive_read_new();
	a->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!a->tar)
		return err_oom(err);
	if (a->utf8)
		a->before = uselocale(a->utf8);
	(void)archive_read_support_format_tar(a->tar);
	(void)archive_read_support_filter_gzip(a->tar);
	(void)archive_read_support_filter_zstd(a->tar);
	if (archive_read_open_fd(a->tar, fd, BLOCK_SIZE) != ARCHIVE_OK)
		return tell(a, err);
	*ret_reader = take_ptr(&a);
	return 0;
}

void archive_reader_free(struct archive_reader *a)
{
	int saved = errno;

	if (!a)
		return;
	(void)archive_read_free(a->tar); /* takes NULL */
	if (a->utf8) {
		(void)uselocale(a->before);
		freelocale(a->utf8);
	}
	free(a);
	errno = saved;
}

static enum archive_member_kind kind_of(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return ARCHIVE_OTHER;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return ARCHIVE_FILE;
	case AE_IFDIR:
		return ARCHIVE_FOLDER;
	default:
		return ARCHIVE_OTHER;
	}
}

int archive_reader_next(struct archive_reader *a, struct archive_member *ret, struct error *err)
{
	const char *name;
	int r = archive_read_next_header(a->tar, &a->entry);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN) {
		a->entry = NULL;
		return tell(a, err);
	}
	if (++a->n > MEMBERS_MAX)
		return err_set(err, -EBADMSG, "more than %d members", MEMBERS_MAX);
	name = archive_entry_pathname(a->entry);
	r = name ? unpack_clean_name(name, a->name, err)
		 : err_set(err, -EBADMSG, "a member has no valid name");
	if (r < 0)
		return err_wrap(err, r, "member '%.300s'", name ? name : "");
	if (archive_entry_size(a->entry) < 0)
		return err_set(err, -EBADMSG, "member '%.300s' has a negative size", a->name);
	*ret = (struct archive_member){
		.name = a->name,
		.kind = kind_of(a->entry),
		.size = (uint64_t)archive_entry_size(a->entry),
	};
	return 1;
}

int archive_reader_slurp(struct archive_reader *a, size_t max, char **ret_data, size_t *ret_len,
			 struct error *err)
{
	uint64_t size = (uint64_t)archive_entry_size(a->entry);
	cleanup_free char *data = NULL;
	size_t done = 0;

	if (size > max)
		return err_set(err, -EFBIG, "member '%.300s' has %llu bytes, at most %zu are right",
			       a->name, (unsigned long long)size, max);
	data = malloc((size_t)size + 1);
	if (!data)
		return err_oom(err);
	while (done < size) {
		la_ssize_t n = archive_read_data(a->tar, data + done, (size_t)size - done);

		if (n < 0)
			return tell(a, err);
		if (n == 0)
			return err_set(err, -EBADMSG, "member '%.300s' ends too soon", a->name);
		done += (size_t)n;
	}
	data[size] = '\0';
	*ret_data = take_ptr(&data);
	*ret_len = (size_t)size;
	return 0;
}

int archive_reader_save(struct archive_reader *a, int fd, struct error *err)
{
	la_int64_t offset = 0;
	const void *data;
	size_t len;
	int r;

	while ((r = archive_read_data_block(a->tar, &data, &len, &offset)) == ARCHIVE_OK) {
		int w = fd_pwrite_all(fd, data, len, (uint64_t)offset);

		if (w < 0)
			return err_set(err, w, "write '%s': %s", a->name, strerror(-w));
	}
	if (r != ARCHIVE_EOF)
		return tell(a, err);
	return 0;
}
