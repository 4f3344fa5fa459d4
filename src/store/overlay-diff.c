/*
 * overlay-diff: an overlay's upper folder read as a list of changes.
 *
 * The walk follows overlayfs' own rules for what the layers below show: a
 * folder continues into the next lower one unless it is opaque there; a
 * whiteout, or anything that is no folder, ends it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "store/overlay.h"

#define XATTR_OPAQUE "trusted.overlay.opaque"
#define MAX_DEPTH 1024

struct diff {
	int upper;
	int *layers; /* topmost first */
	size_t n_layers;
	unsigned int depth;
	char path[PATH_MAX]; /* where the walk is, without the leading slash; "" is the root */
	int (*found)(void *arg, enum overlay_change change, const char *path, struct error *err);
	void *arg;
};

/* Which layers take part in a folder: indexes into diff.layers. */
struct below {
	size_t *layers;
	size_t n;
	bool exists; /* something of that name is visible */
	struct stat st;
};

static void below_done(struct below *below)
{
	free(below->layers);
}

#define cleanup_below __attribute__((cleanup(below_done)))

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static const char *at(const struct diff *d)
{
	return d->path[0] ? d->path : ".";
}

static bool is_opaque(int root, const char *path)
{
	cleanup_fd int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char value;

	return fd >= 0 && fgetxattr(fd, XATTR_OPAQUE, &value, 1) == 1 && value == 'y';
}

/* What the layers that take part in the folder above show for d->path. */
static int look_below(const struct diff *d, const struct below *above, struct below *ret,
		      struct error *err)
{
	ret->layers = calloc(above->n + 1, sizeof(*ret->layers));
	if (!ret->layers)
		return err_oom(err);
	for (size_t i = 0; i < above->n; i++) {
		int layer = d->layers[above->layers[i]];
		struct stat st;

		if (fstatat(layer, at(d), &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return err_sys(err, "look at '/%s' in a layer", d->path);
		}
		if (is_whiteout(&st))
			break;
		if (!ret->exists) {
			ret->exists = true;
			ret->st = st;
		}
		if (!S_ISDIR(st.st_mode))
			break;
		ret->layers[ret->n++] = above->layers[i];
		if (is_opaque(layer, at(d)))
			break;
	}
	if (ret->exists && !S_ISDIR(ret->st.st_mode))
		ret->n = 0;
	return 0;
}

/* --- names of a folder ---------------------------------------------------------- */

static int add_names(int root, const char *path, struct strv *names, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = err_sys(err, "read folder '%s'", path);

		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while ((errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strv_add(names, entry->d_name);
	if (errno)
		return err_sys(err, "read folder '%s'", path);
	return strv_ok(names) ? 0 : err_oom(err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in the upper folder and, where it is opaque, those below that it hides; sorted. */
static int list_names(const struct diff *d, const struct below *below, struct strv *names,
		      struct error *err)
{
	int r;

	r = add_names(d->upper, at(d), names, err);
	if (r == 0 && is_opaque(d->upper, at(d)))
		for (size_t i = 0; r == 0 && i < below->n; i++)
			r = add_names(d->layers[below->layers[i]], at(d), names, err);
	if (r < 0)
		return r;
	if (names->n > 0)
		qsort(names->items, names->n, sizeof(*names->items), by_name);
	return 0;
}

/* --- the walk -------------------------------------------------------------------- */

static int walk(struct diff *d, const struct below *below, struct error *err);

static int report(struct diff *d, enum overlay_change change, struct error *err)
{
	char path[PATH_MAX + 1];

	(void)snprintf(path, sizeof(path), "/%s", d->path);
	return d->found(d->arg, change, path, err);
}

/* A folder is in the upper one because something in it changed, or it did itself. */
static bool folder_changed(const struct diff *d, const struct stat *st, const struct below *below)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (st->st_mode != below->st.st_mode || st->st_uid != below->st.st_uid ||
	    st->st_gid != below->st.st_gid || st->st_mtim.tv_sec != below->st.st_mtim.tv_sec ||
	    st->st_mtim.tv_nsec != below->st.st_mtim.tv_nsec)
		return true;
	return list_names(d, below, &names, NULL) < 0 || names.n > 0;
}

static int visit_folder(struct diff *d, const struct stat *st, const struct below *below,
			struct error *err)
{
	int r = 0;

	if (!below->exists)
		r = report(d, OVERLAY_ADDED, err);
	else if (!S_ISDIR(below->st.st_mode) || folder_changed(d, st, below))
		r = report(d, OVERLAY_CHANGED, err);
	return r < 0 ? r : walk(d, below, err);
}

/* d->path is in the upper folder, or hidden by it. */
static int visit(struct diff *d, const struct below *above, struct error *err)
{
	cleanup_below struct below below = { .n = 0 };
	struct stat st;
	bool gone;
	int r;

	r = look_below(d, above, &below, err);
	if (r < 0)
		return r;
	gone = fstatat(d->upper, at(d), &st, AT_SYMLINK_NOFOLLOW) < 0;
	if (gone && errno != ENOENT)
		return err_sys(err, "look at '/%s'", d->path);
	if (gone || is_whiteout(&st))
		return below.exists ? report(d, OVERLAY_DELETED, err) : 0;
	if (S_ISDIR(st.st_mode))
		return visit_folder(d, &st, &below, err);
	return report(d, below.exists ? OVERLAY_CHANGED : OVERLAY_ADDED, err);
}

static int walk(struct diff *d, const struct below *below, struct error *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	size_t len = strlen(d->path);
	int r;

	if (++d->depth > MAX_DEPTH)
		return err_set(err, -ELOOP, "'/%s' is too deep", d->path);
	r = list_names(d, below, &names, err);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (i > 0 && strcmp(names.items[i], names.items[i - 1]) == 0)
			continue;
		if (len + strlen(names.items[i]) + 2 > sizeof(d->path))
			return err_set(err, -ENAMETOOLONG, "below '/%s': path is too long",
				       d->path);
		(void)snprintf(d->path + len, sizeof(d->path) - len, "%s%s", len > 0 ? "/" : "",
			       names.items[i]);
		r = visit(d, below, err);
		d->path[len] = '\0';
	}
	d->depth--;
	return r;
}

static void diff_done(struct diff *d)
{
	cleanup_fd_p(&d->upper);
	for (size_t i = 0; i < d->n_layers; i++)
		cleanup_fd_p(&d->layers[i]);
	free(d->layers);
}

static int open_layers(struct diff *d, const char *dir, const struct strv *lowers,
		       struct error *err)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/upper", dir);
	d->upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->upper < 0)
		return err_sys(err, "open '%s'", path);
	d->layers = calloc(lowers->n + 1, sizeof(*d->layers));
	if (!d->layers)
		return err_oom(err);
	for (size_t i = 0; i < lowers->n; i++) {
		int fd = open(lowers->items[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return err_sys(err, "open layer '%s'", lowers->items[i]);
		d->layers[d->n_layers++] = fd;
	}
	return 0;
}

int overlay_diff(const char *dir, const struct strv *lowers,
		 int (*found)(void *arg, enum overlay_change change, const char *path,
			      struct error *err),
		 void *arg, struct error *err)
{
	__attribute__((cleanup(diff_done))) struct diff d = {
		.upper = -EBADF,
		.found = found,
		.arg = arg,
	};
	cleanup_below struct below root = { .exists = true };
	int r;

	r = open_layers(&d, dir, lowers, err);
	if (r < 0)
		return r;
	root.layers = calloc(d.n_layers + 1, sizeof(*root.layers));
	if (!root.layers)
		return err_oom(err);
	for (root.n = 0; root.n < d.n_layers; root.n++) {
		root.layers[root.n] = root.n;
		if (is_opaque(d.layers[root.n], ".")) {
			root.n++;
			break;
		}
	}
	return walk(&d, &root, err);
}
