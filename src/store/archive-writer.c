#include "store/archive-writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"

#define BUFFER_SIZE ((size_t)1 << 20)
#define ZSTD_LEVEL "1" /* faster than a disk; the next levels gain a few percent */

struct archive_writer {
	struct archive *tar;
	struct archive_entry *entry;
	char *buffer;
	char member[PATH_MAX]; /* the one being written, for messages */
	uint64_t left;	       /* bytes of it still to come */
	int fd;		       /* borrowed */
	int write_error;       /* of the file below: libarchive does not always hand it on */
};

static int tell(const struct archive_writer *w, struct error *err)
{
	int code = archive_errno(w->tar);
	const char *why = archive_error_string(w->tar);

	if (w->write_error)
		return err_set(err, w->write_error, "write the archive: %s",
			       strerror(-w->write_error));
	return err_set(err, code > 0 ? -code : -EIO, "archive member '%s': %s", w->member,
		       why ? why : "unknown reason");
}

static la_ssize_t write_bytes(struct archive *a UNUSED, void *arg, const void *data, size_t len)
{
	struct archive_writer *w = arg;
	int r = fd_write_all(w->fd, data, len);

	if (r == 0)
		return (la_ssize_t)len;
	w->write_error = r;
	return -1;
}

static int choose_filter(struct archive *tar, enum archive_compression compression)
{
	switch (compression) {
	case ARCHIVE_ZSTD:
		if (archive_write_add_filter_zstd(tar) != ARCHIVE_OK ||
		    archive_write_set_filter_option(tar, "zstd", "compression-level", ZSTD_LEVEL) !=
			    ARCHIVE_OK)
			return -EINVAL;
		/* 0: as many as there are processors; a library without threads refuses, which
		 * is fine. */
		(void)archive_write_set_filter_option(tar, "zstd", "threads", "0");
		return 0;
	case ARCHIVE_GZIP:
		return archive_write_add_filter_gzip(tar) == ARCHIVE_OK ? 0 : -EINVAL;
	case ARCHIVE_PLAIN:
		return archive_write_add_filter_none(tar) == ARCHIVE_OK ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int archive_writer_open(int fd, enum archive_compression compression,
			struct archive_writer **ret_writer, struct error *err)
{
	cleanup_archive_writer struct archive_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_oom(err);
	w->fd = fd;
	w->tar = archive_write_new();
	w->entry = archive_entry_new();
	w->buffer = malloc(BUFFER_SIZE);
	if (!w->tar || !w->entry || !w->buffer)
		return err_oom(err);
	(void)archive_write_set_format_pax_restricted(w->tar);
	(void)archive_write_set_bytes_per_block(w->tar, 512 * 1024);
	(void)archive_write_set_bytes_in_last_block(w->tar, 1);
	if (choose_filter(w->tar, compression) < 0 ||
	    archive_write_open(w->tar, w, NULL, write_bytes, NULL) != ARCHIVE_OK)
		return tell(w, err);
	*ret_writer = take_ptr(&w);
	return 0;
}

void archive_writer_free(struct archive_writer *w)
{
	int saved = errno;

	if (!w)
		return;
	if (w->tar)
		(void)archive_write_fail(w->tar); /* nothing more is written; after a finish nothing
						     is left to write */
	(void)archive_write_free(w->tar);
	archive_entry_free(w->entry);
	free(w->buffer);
	free(w);
	errno = saved;
}

static int put_header(struct archive_writer *w, const char *name, mode_t mode, uint64_t size,
		      const char *link, struct error *err)
{
	(void)snprintf(w->member, sizeof(w->member), "%s", name);
	(void)archive_entry_clear(w->entry);
	archive_entry_set_pathname(w->entry, name);
	archive_entry_set_mode(w->entry, mode);
	archive_entry_set_size(w->entry, (la_int64_t)size);
	archive_entry_set_mtime(w->entry, time(NULL), 0);
	if (link)
		archive_entry_set_symlink(w->entry, link);
	w->left = size;
	return archive_write_header(w->tar, w->entry) < ARCHIVE_WARN ? tell(w, err) : 0;
}

static int put_data(struct archive_writer *w, const void *data, size_t len, struct error *err)
{
	if (len > w->left)
		return err_set(err, -EFBIG, "archive member '%s' grew while it was written",
			       w->member);
	if (archive_write_data(w->tar, data, len) < 0)
		return tell(w, err);
	w->left -= len;
	return 0;
}

int archive_writer_folder(struct archive_writer *w, const char *name, struct error *err)
{
	char slashed[PATH_MAX];

	(void)snprintf(slashed, sizeof(slashed), "%s/", name);
	return put_header(w, slashed, S_IFDIR | 0700, 0, NULL, err);
}

int archive_writer_bytes(struct archive_writer *w, const char *name, const void *data, size_t len,
			 struct error *err)
{
	int r = put_header(w, name, S_IFREG | 0600, len, NULL, err);

	return r < 0 ? r : put_data(w, data, len, err);
}

static int copy_content(struct archive_writer *w, int fd, struct error *err)
{
	while (w->left > 0) {
		size_t want = w->left < BUFFER_SIZE ? (size_t)w->left : BUFFER_SIZE;
		ssize_t n = read(fd, w->buffer, want);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '%s'", w->member);
		if (n == 0)
			return err_set(err, -EBADMSG, "'%s' became shorter while it was read",
				       w->member);
		r = put_data(w, w->buffer, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int archive_writer_file(struct archive_writer *w, const char *name, int dirfd, const char *path,
			struct error *err)
{
	cleanup_fd int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "'%s' is not a regular file", path);
	r = put_header(w, name, S_IFREG | 0600, (uint64_t)st.st_size, NULL, err);
	return r < 0 ? r : copy_content(w, fd, err);
}

static int put_link(struct archive_writer *w, const char *name, int dirfd, const char *path,
		    struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, path, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, "read link '%s'", name);
	target[n] = '\0';
	return put_header(w, name, S_IFLNK | 0777, 0, target, err);
}

static int put_child(struct archive_writer *w, const char *folder, int dirfd, const char *child,
		     struct error *err)
{
	cleanup_fd int fd = -EBADF;
	char name[PATH_MAX];
	struct stat st;

	if (snprintf(name, sizeof(name), "%s/%s", folder, child) >= (int)sizeof(name))
		return err_set(err, -ENAMETOOLONG, "'%s/%s': name too long", folder, child);
	if (fstatat(dirfd, child, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "look at '%s'", name);
	if (S_ISREG(st.st_mode))
		return archive_writer_file(w, name, dirfd, child, err);
	if (S_ISLNK(st.st_mode))
		return put_link(w, name, dirfd, child, err);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -EINVAL, "'%s' is neither a file nor a folder", name);
	fd = openat(dirfd, child, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open folder '%s'", name)
		      : archive_writer_tree(w, name, fd, err);
}

int archive_writer_tree(struct archive_writer *w, const char *name, int dirfd, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = archive_writer_folder(w, name, err);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "open folder '%s'", name);
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = put_child(w, name, dirfd, entry->d_name, err);
	}
	if (r == 0 && errno)
		return err_sys(err, "read folder '%s'", name);
	return r;
}

static int sink_write(void *arg, const void *data, size_t len, struct error *err)
{
	return put_data(arg, data, len, err);
}

int archive_writer_begin(struct archive_writer *w, const char *name, uint64_t size,
			 struct tar_sink *ret_sink, struct error *err)
{
	*ret_sink = (struct tar_sink){ .write = sink_write, .arg = w };
	return put_header(w, name, S_IFREG | 0600, size, NULL, err);
}

int archive_writer_end(struct archive_writer *w, struct error *err)
{
	return archive_write_finish_entry(w->tar) < ARCHIVE_WARN ? tell(w, err) : 0;
}

int archive_writer_finish(struct archive_writer *w, struct error *err)
{
	(void)snprintf(w->member, sizeof(w->member), "the end");
	return archive_write_close(w->tar) == ARCHIVE_OK ? 0 : tell(w, err);
}
