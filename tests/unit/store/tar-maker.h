/*
 * tar-maker: tars in memory, well-formed and not, for the tests of the store.
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct tar_maker {
	struct archive *a;
	int fd; /* memfd with the result */
};

enum tar_filter { TAR_PLAIN, TAR_GZIP, TAR_ZSTD };

static inline void tar_begin(struct tar_maker *t, enum tar_filter filter)
{
	t->fd = memfd_create("tar", MFD_CLOEXEC);
	t->a = archive_write_new();
	(void)archive_write_set_format_pax(t->a);
	if (filter == TAR_GZIP)
		(void)archive_write_add_filter_gzip(t->a);
	else if (filter == TAR_ZSTD)
		(void)archive_write_add_filter_zstd(t->a);
	if (archive_write_open_fd(t->a, t->fd) != ARCHIVE_OK)
		abort();
}

static inline struct archive_entry *tar_entry(const char *name, mode_t type, mode_t mode)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, mode);
	archive_entry_set_mtime(e, 1000000000, 123456789);
	return e;
}

/* Writes the entry with its content, and frees it. */
static inline void tar_put(struct tar_maker *t, struct archive_entry *e, const char *content)
{
	size_t len = content ? strlen(content) : 0;

	archive_entry_set_size(e, (la_int64_t)len);
	if (archive_write_header(t->a, e) < ARCHIVE_WARN)
		abort();
	if (len > 0 && archive_write_data(t->a, content, len) != (la_ssize_t)len)
		abort();
	archive_entry_free(e);
}

static inline void tar_file(struct tar_maker *t, const char *name, const char *content)
{
	tar_put(t, tar_entry(name, AE_IFREG, 0644), content);
}

static inline void tar_folder(struct tar_maker *t, const char *name, mode_t mode)
{
	tar_put(t, tar_entry(name, AE_IFDIR, mode), NULL);
}

static inline void tar_symlink(struct tar_maker *t, const char *name, const char *target)
{
	struct archive_entry *e = tar_entry(name, AE_IFLNK, 0777);

	archive_entry_set_symlink(e, target);
	tar_put(t, e, NULL);
}

static inline void tar_hard_link(struct tar_maker *t, const char *name, const char *target)
{
	struct archive_entry *e = tar_entry(name, AE_IFREG, 0644);

	archive_entry_set_hardlink(e, target);
	tar_put(t, e, NULL);
}

/* Ends the tar; its descriptor, at the beginning. The caller's. */
static inline int tar_end(struct tar_maker *t)
{
	if (archive_write_close(t->a) != ARCHIVE_OK)
		abort();
	(void)archive_write_free(t->a);
	(void)lseek(t->fd, 0, SEEK_SET);
	return t->fd;
}
