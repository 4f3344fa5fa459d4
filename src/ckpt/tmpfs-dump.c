#include "ckpt/tmpfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/userns.h"

#define COPY_SIZE ((size_t)256 << 10)
#define DEPTH_MAX 128

struct packing {
	const struct dump *dump;
	struct archive *archive;
	struct archive_entry *entry; /* reused */
	struct archive_entry_linkresolver *links;
	dev_t dev;
	char *buffer;
	char path[PATH_MAX];
	size_t path_len;
};

static int failed(struct packing *p, struct error *err)
{
	int code = archive_errno(p->archive);
	const char *text = archive_error_string(p->archive);

	if (!text)
		text = "the archive can't be written";
	/* Its words for a failed write(2) leave out why. */
	return code > 0 ? err_set(err, -code, "'%s': %s: %s", p->path, text, strerror(code))
			: err_set(err, -EIO, "'%s': %s", p->path, text);
}

static int write_content(struct packing *p, int fd, uint64_t size, struct error *err)
{
	for (uint64_t done = 0; done < size;) {
		size_t want = size - done < COPY_SIZE ? (size_t)(size - done) : COPY_SIZE;
		ssize_t n = read(fd, p->buffer, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '%s'", p->path);
		if (n == 0)
			return err_set(err, -EBUSY, "'%s' became shorter while it was read",
				       p->path);
		if (archive_write_data(p->archive, p->buffer, (size_t)n) != n)
			return failed(p, err);
		done += (uint64_t)n;
	}
	return 0;
}

static int set_symlink(struct packing *p, int dir, const char *name, struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, "read link '%s'", p->path);
	target[n] = '\0';
	archive_entry_set_symlink(p->entry, target);
	return 0;
}

static int write_one(struct packing *p, int dir, const char *name, const struct stat *st,
		     struct error *err)
{
	struct archive_entry *spare = NULL;
	cleanup_fd int fd = -EBADF;
	int r;

	archive_entry_clear(p->entry);
	archive_entry_copy_stat(p->entry, st);
	archive_entry_set_uid(p->entry, userns_uid(p->dump, st->st_uid));
	archive_entry_set_gid(p->entry, userns_gid(p->dump, st->st_gid));
	archive_entry_set_pathname(p->entry, p->path);
	if (S_ISLNK(st->st_mode)) {
		r = set_symlink(p, dir, name, err);
		if (r < 0)
			return r;
	}
	/* A second name of a file becomes a link to the first and loses its size. */
	archive_entry_linkify(p->links, &p->entry, &spare);
	if (archive_write_header(p->archive, p->entry) != ARCHIVE_OK)
		return failed(p, err);
	if (!S_ISREG(st->st_mode) || !archive_entry_size(p->entry))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s'", p->path);
	return write_content(p, fd, (uint64_t)st->st_size, err);
}

static int walk(struct packing *p, int dir_fd, unsigned int depth, struct error *err);

static int pack(struct packing *p, int dir, const char *name, unsigned int depth, struct error *err)
{
	cleanup_fd int sub = -EBADF;
	struct stat st;
	int r;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return err_sys(err, "stat '%s'", p->path);
	if (S_ISSOCK(st.st_mode)) {
		log_debug("'%s': sockets are left out of the archive", p->path);
		return 0;
	}
	r = write_one(p, dir, name, &st, err);
	if (r < 0 || !S_ISDIR(st.st_mode) || st.st_dev != p->dev)
		return r; /* another file system is mounted there */
	sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return err_sys(err, "open '%s'", p->path);
	return walk(p, take_fd(&sub), depth + 1, err);
}

/* Takes the descriptor. */
static int walk(struct packing *p, int dir_fd, unsigned int depth, struct error *err)
{
	cleanup_dir DIR *dir = fdopendir(dir_fd);
	size_t len = p->path_len;
	struct dirent *entry;
	int r;

	if (!dir) {
		(void)close(dir_fd); /* not taken over */
		return err_oom(err);
	}
	if (depth > DEPTH_MAX)
		return err_set(err, -EOPNOTSUPP, "'%s': more than %d folders deep", p->path,
			       DEPTH_MAX);
	for (;;) {
		size_t name_len;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? err_sys(err, "list '%s'", p->path) : 0;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		name_len = strlen(entry->d_name);
		if (len + 1 + name_len >= sizeof(p->path))
			return err_set(err, -ENAMETOOLONG, "'%s/%s'", p->path, entry->d_name);
		p->path[len] = '/';
		memcpy(p->path + len + 1, entry->d_name, name_len + 1);
		p->path_len = len + 1 + name_len;
		r = pack(p, dirfd(dir), entry->d_name, depth, err);
		p->path[len] = '\0';
		p->path_len = len;
		if (r < 0)
			return r;
	}
}

static int pack_root(struct packing *p, int root_fd, struct error *err)
{
	struct stat st;
	int fd;
	int r;

	if (fstat(root_fd, &st) < 0)
		return err_sys(err, "stat '%s'", p->path);
	p->dev = st.st_dev;
	r = write_one(p, root_fd, ".", &st, err);
	if (r < 0)
		return r;
	fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open '%s'", p->path) : walk(p, fd, 0, err);
}

/* The least effort of gzip: the tree is stopped while it works. */
static int open_archive(struct packing *p, int fd, struct error *err)
{
	p->archive = archive_write_new();
	p->entry = archive_entry_new();
	p->links = archive_entry_linkresolver_new();
	p->buffer = malloc(COPY_SIZE);
	if (!p->archive || !p->entry || !p->links || !p->buffer)
		return err_oom(err);
	if (archive_write_add_filter_gzip(p->archive) != ARCHIVE_OK ||
	    archive_write_set_filter_option(p->archive, "gzip", "compression-level", "1") !=
		    ARCHIVE_OK ||
	    archive_write_set_format_pax_restricted(p->archive) != ARCHIVE_OK)
		return failed(p, err);
	archive_entry_linkresolver_set_strategy(p->links, archive_format(p->archive));
	if (archive_write_open_fd(p->archive, fd) != ARCHIVE_OK)
		return failed(p, err);
	return 0;
}

static void close_archive(struct packing *p)
{
	archive_entry_linkresolver_free(p->links);
	archive_entry_free(p->entry);
	archive_write_free(p->archive);
	free(p->buffer);
}

int tmpfs_pack(struct dump *dump, int root_fd, uint32_t device, const char *mountpoint,
	       struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct packing p = { .dump = dump, .path = ".", .path_len = 1 };
	int r;

	r = dump_image_create(dump, &image, IMG_KIND_TMPFS_DEV, device, err);
	if (r < 0)
		return r;
	r = open_archive(&p, image.fd, err);
	if (r == 0)
		r = pack_root(&p, root_fd, err);
	if (r == 0 && archive_write_close(p.archive) != ARCHIVE_OK)
		r = failed(&p, err);
	close_archive(&p);
	if (r < 0)
		return err_wrap(err, r, "tmpfs '%s'", mountpoint);
	return image_finish(&image, err);
}

int tmpfs_save(struct dump *dump, int root_fd, uint32_t device, const char *mountpoint,
	       struct error *err)
{
	int r = 0;

	if (dump->n_tmpfs == ARRAY_SIZE(dump->tmpfs))
		return err_set(err, -EOPNOTSUPP, "more than %zu tmpfs", ARRAY_SIZE(dump->tmpfs));
	log_debug("tmpfs '%s'", mountpoint);
	if (!tmpfs_is_packed(dump, root_fd, device))
		r = tmpfs_pack(dump, root_fd, device, mountpoint, err);
	if (r == 0)
		dump->tmpfs[dump->n_tmpfs++] = device;
	return r;
}

bool tmpfs_saved(const struct dump *dump, uint32_t device)
{
	for (size_t i = 0; i < dump->n_tmpfs; i++) {
		if (dump->tmpfs[i] == device)
			return true;
	}
	return false;
}
