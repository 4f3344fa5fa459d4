#include "store/folder-tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"

struct folder_tar {
	const struct tar_sink *sink; /* borrowed */
	const char *path;	     /* borrowed */
	size_t path_len;
	enum folder_tar_kind kind;
	bool measuring; /* content is not read: as many zeros do */
	uint64_t entries;
	struct archive *disk;
	struct archive *tar;
	struct archive_entry_linkresolver *links;
	struct archive_entry *entry;
	locale_t utf8;
	locale_t before;
	struct error write_error;
};

static void folder_tar_done(struct folder_tar *t)
{
	archive_entry_free(t->entry);
	archive_entry_linkresolver_free(t->links);
	(void)archive_read_free(t->disk); /* these take NULL, and have nothing left to say */
	(void)archive_write_free(t->tar);
	if (t->utf8) {
		(void)uselocale(t->before);
		freelocale(t->utf8);
	}
}

static la_ssize_t write_bytes(struct archive *a, void *arg, const void *data, size_t len)
{
	struct folder_tar *t = arg;

	if (t->sink->write(t->sink->arg, data, len, &t->write_error) < 0) {
		archive_set_error(a, -t->write_error.code, "%s", t->write_error.text);
		return -1;
	}
	return (la_ssize_t)len;
}

static int tell(struct archive *a, const char *place, struct error *err)
{
	int code = archive_errno(a);
	const char *why = archive_error_string(a);

	return err_set(err, code > 0 ? -code : -EIO, "'%s': %s", place,
		       why ? why : "unknown reason");
}

static int open_both(struct folder_tar *t, struct error *err)
{
	t->disk = archive_read_disk_new();
	t->tar = archive_write_new();
	t->links = archive_entry_linkresolver_new();
	t->entry = archive_entry_new();
	if (!t->disk || !t->tar || !t->links || !t->entry)
		return err_oom(err);
	(void)archive_read_disk_set_symlink_physical(t->disk);
	(void)archive_read_disk_set_behavior(t->disk, ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS |
							      ARCHIVE_READDISK_NO_ACL |
							      ARCHIVE_READDISK_NO_FFLAGS);
	(void)archive_write_set_format_pax_restricted(t->tar);
	(void)archive_write_add_filter_none(t->tar);
	(void)archive_write_set_bytes_per_block(t->tar, 256 * 1024);
	(void)archive_write_set_bytes_in_last_block(t->tar, 1);
	archive_entry_linkresolver_set_strategy(t->links, archive_format(t->tar));
	if (archive_write_open(t->tar, t, NULL, write_bytes, NULL) != ARCHIVE_OK)
		return tell(t->tar, "layer", err);
	if (archive_read_disk_open(t->disk, t->path) != ARCHIVE_OK)
		return tell(t->disk, t->path, err);
	return 0;
}

/* The writer wants every byte, and leaves out again what the entry's map calls a hole. */
static int write_zeros(struct folder_tar *t, la_int64_t len, const char *place, struct error *err)
{
	static const char zeros[64 * 1024];

	while (len > 0) {
		size_t n = len < (la_int64_t)sizeof(zeros) ? (size_t)len : sizeof(zeros);

		if (archive_write_data(t->tar, zeros, n) < 0)
			return tell(t->tar, place, err);
		len -= (la_int64_t)n;
	}
	return 0;
}

static int copy_content(struct folder_tar *t, const char *place, struct error *err)
{
	la_int64_t size = archive_entry_size(t->entry);
	la_int64_t offset = 0;
	la_int64_t done = 0;
	const void *data;
	size_t len;
	int r;

	if (t->measuring)
		return write_zeros(t, size, place, err);
	while ((r = archive_read_data_block(t->disk, &data, &len, &offset)) == ARCHIVE_OK) {
		r = write_zeros(t, offset - done, place, err);
		if (r < 0)
			return r;
		if (archive_write_data(t->tar, data, len) < 0)
			return tell(t->tar, place, err);
		done = offset + (la_int64_t)len;
	}
	if (r != ARCHIVE_EOF)
		return tell(t->disk, place, err);
	return write_zeros(t, size - done, place, err);
}

/* "FOLDER/etc/motd" -> "etc/motd", the folder itself -> "./" */
static void rename_entry(struct folder_tar *t)
{
	const char *name = archive_entry_pathname(t->entry);
	char *copy;

	name += t->path_len;
	name += strspn(name, "/");
	copy = strdup(*name ? name : "./");
	if (copy)
		archive_entry_copy_pathname(t->entry, copy);
	free(copy);
}

/* What overlayfs keeps for itself in an upper folder. */
static bool is_overlays(struct folder_tar *t)
{
	return t->kind == FOLDER_TAR_UPPER && archive_entry_filetype(t->entry) == AE_IFCHR &&
	       archive_entry_rdev(t->entry) == 0;
}

static void keep_attributes(struct folder_tar *t)
{
	struct archive_entry *copy =
		t->kind == FOLDER_TAR_UPPER ? archive_entry_clone(t->entry) : NULL;
	const char *name;
	const void *value;
	size_t len;

	if (!copy)
		return;
	archive_entry_xattr_clear(t->entry);
	(void)archive_entry_xattr_reset(copy);
	while (archive_entry_xattr_next(copy, &name, &value, &len) == ARCHIVE_OK) {
		if (strncmp(name, "trusted.overlay.", 16) != 0)
			archive_entry_xattr_add_entry(t->entry, name, value, len);
	}
	archive_entry_free(copy);
}

static int write_entry(struct folder_tar *t, struct error *err)
{
	struct archive_entry *spare = NULL;
	const char *name = archive_entry_pathname(t->entry);
	int r;

	if (!name || strncmp(name, t->path, t->path_len) != 0)
		return err_set(err, -EINVAL, "'%s': a file name in it is not valid", t->path);
	if (archive_entry_filetype(t->entry) == AE_IFSOCK) {
		log_debug("socket '%s' left out", name);
		return 0;
	}
	if (is_overlays(t))
		return 0;
	t->entries += strlen(name) > t->path_len;
	rename_entry(t);
	keep_attributes(t);
	name = archive_entry_pathname(t->entry);
	/* Reading changes the one and nobody can set the other; a measured size would not hold. */
	archive_entry_unset_atime(t->entry);
	archive_entry_unset_ctime(t->entry);
	/* Names stay: user names of this machine mean nothing in the image. */
	archive_entry_set_uname(t->entry, NULL);
	archive_entry_set_gname(t->entry, NULL);
	archive_entry_linkify(t->links, &t->entry, &spare);
	r = archive_write_header(t->tar, t->entry);
	if (r < ARCHIVE_WARN)
		return tell(t->tar, name, err);
	if (archive_entry_size(t->entry) > 0)
		return copy_content(t, name, err);
	return 0;
}

static int write_all(struct folder_tar *t, struct error *err)
{
	int r;

	for (;;) {
		(void)archive_entry_clear(t->entry);
		r = archive_read_next_header2(t->disk, t->entry);
		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			return tell(t->disk, t->path, err);
		(void)archive_read_disk_descend(t->disk); /* no folder: nothing to do */
		r = write_entry(t, err);
		if (r < 0)
			return r;
	}
	return archive_write_close(t->tar) == ARCHIVE_OK ? 0 : tell(t->tar, "layer", err);
}

static int run(struct folder_tar *t, struct error *err)
{
	int r;

	t->path_len = strlen(t->path);
	while (t->path_len > 1 && t->path[t->path_len - 1] == '/')
		t->path_len--;
	t->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (t->utf8)
		t->before = uselocale(t->utf8);
	r = open_both(t, err);
	return r < 0 ? r : write_all(t, err);
}

int folder_tar_write(const char *path, enum folder_tar_kind kind, const struct tar_sink *sink,
		     struct error *err)
{
	__attribute__((cleanup(folder_tar_done))) struct folder_tar t = {
		.sink = sink,
		.path = path,
		.kind = kind,
		.write_error = ERROR_INIT,
	};

	return run(&t, err);
}

static int count(void *arg, const void *data UNUSED, size_t len, struct error *err UNUSED)
{
	*(uint64_t *)arg += len;
	return 0;
}

int folder_tar_measure(const char *path, enum folder_tar_kind kind, uint64_t *ret_size,
		       uint64_t *ret_entries, struct error *err)
{
	uint64_t size = 0;
	const struct tar_sink sink = { .write = count, .arg = &size };
	__attribute__((cleanup(folder_tar_done))) struct folder_tar t = {
		.sink = &sink,
		.path = path,
		.kind = kind,
		.measuring = true,
		.write_error = ERROR_INIT,
	};
	int r = run(&t, err);

	*ret_size = size;
	*ret_entries = t.entries;
	return r;
}
