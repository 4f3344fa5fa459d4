#include "store/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

#define OPTION_MAX 4000 /* mount(2) takes one page; a little is kept for the kernel's own */

static const char *const folders[] = { "upper", "work", "merged" };

static int open_dir(const char *dir, int *ret_fd, struct error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open folder '%s'", dir);
	*ret_fd = fd;
	return 0;
}

int overlay_create(const char *dir, const struct strv *lowers, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	struct stat root = { .st_mode = 0755 };
	int r;

	if (lowers->n > 0 && stat(lowers->items[0], &root) < 0)
		return err_sys(err, "look at layer '%s'", lowers->items[0]);
	r = file_make_dirs_at(AT_FDCWD, dir, 0700, err);
	if (r == 0)
		r = open_dir(dir, &fd, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdirat(fd, folders[i], 0700) < 0 && errno != EEXIST)
			return err_sys(err, "make folder '%s/%s'", dir, folders[i]);
	/* The root of the merged tree shows the upper's attributes. */
	if (fchownat(fd, "upper", root.st_uid, root.st_gid, 0) < 0 ||
	    fchmodat(fd, "upper", root.st_mode & 07777, 0) < 0)
		return err_sys(err, "set owner and mode of '%s/upper'", dir);
	return 0;
}

int overlay_is_mounted(const char *dir, struct error *err)
{
	cleanup_free char *merged = NULL;
	struct stat inside;
	struct stat outside;

	if (asprintf(&merged, "%s/merged", dir) < 0) {
		merged = NULL;
		return err_oom(err);
	}
	if (lstat(merged, &inside) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "look at '%s'", merged);
	if (lstat(dir, &outside) < 0)
		return err_sys(err, "look at '%s'", dir);
	return inside.st_dev != outside.st_dev;
}

/* --- new mount API: layers one by one ------------------------------------------- */

static int set_option(int fs, const char *key, const char *value, struct error *err)
{
	char why[256];
	int code;
	ssize_t n;

	if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) == 0)
		return 0;
	code = -errno;
	n = read(fs, why, sizeof(why) - 1); /* the kernel's own words, if it has any */
	if (n > 2)
		return err_set(err, code, "overlay option %s='%s': %.*s", key, value,
			       (int)n - 2 - (why[n - 1] == '\n'), why + 2);
	return err_set(err, code, "overlay option %s='%s': %s", key, value, strerror(-code));
}

static int configure(int fs, const char *dir, const struct strv *lowers, struct error *err)
{
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < lowers->n; i++)
		r = set_option(fs, "lowerdir+", lowers->items[i], err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/upper", dir);
	r = set_option(fs, "upperdir", path, err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/work", dir);
	r = set_option(fs, "workdir", path, err);
	if (r == 0)
		r = set_option(fs, "redirect_dir", "off", err);
	if (r == 0)
		r = set_option(fs, "metacopy", "off", err);
	if (r == 0)
		r = set_option(fs, "index", "off", err);
	return r;
}

static int mount_layered(const char *dir, const struct strv *lowers, const char *merged,
			 struct error *err)
{
	cleanup_fd int mount_fd = -EBADF;
	cleanup_fd int fs = -EBADF;
	int r;

	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_sys(err, "open file system 'overlay'");
	r = set_option(fs, "source", "overlay", err);
	if (r == 0)
		r = configure(fs, dir, lowers, err);
	if (r < 0)
		return r;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make overlay of '%s'", dir);
	mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount_fd < 0)
		return err_sys(err, "make overlay of '%s'", dir);
	if (move_mount(mount_fd, "", AT_FDCWD, merged, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "mount overlay at '%s'", merged);
	return 0;
}

/* --- mount(2): all in one string -------------------------------------------------- */

/* Colons part the lowers, commas the options, a backslash quotes both. */
static void add_quoted(struct buf *options, const char *path)
{
	for (; *path; path++) {
		if (strchr(":,\\", *path))
			buf_adds(options, "\\");
		buf_add(options, path, 1);
	}
}

static void add_tail(struct buf *options, const char *dir)
{
	buf_adds(options, ",upperdir=");
	add_quoted(options, dir);
	buf_adds(options, "/upper,workdir=");
	add_quoted(options, dir);
	buf_adds(options, "/work,redirect_dir=off,metacopy=off,index=off");
}

static int mount_with(const struct buf *options, const char *merged, struct error *err)
{
	if (!buf_ok(options))
		return err_oom(err);
	if (options->len > OPTION_MAX)
		return err_set(err, -E2BIG,
			       "mount overlay at '%s': its layers don't fit into a page", merged);
	if (mount("overlay", merged, "overlay", 0, buf_str(options)) < 0)
		return err_sys(err, "mount overlay at '%s'", merged);
	return 0;
}

static int mount_by_string(const char *dir, const struct strv *lowers, const char *merged,
			   struct error *err)
{
	cleanup_buf struct buf options = BUF_INIT;

	buf_adds(&options, "lowerdir=");
	for (size_t i = 0; i < lowers->n; i++) {
		if (i > 0)
			buf_adds(&options, ":");
		add_quoted(&options, lowers->items[i]);
	}
	add_tail(&options, dir);
	return mount_with(&options, merged, err);
}

/* Layers by descriptor: "/proc/self/fd/17" is short, and has nothing to quote. */
static int mount_by_descriptor(const char *dir, const struct strv *lowers, const char *merged,
			       struct error *err)
{
	cleanup_buf struct buf options = BUF_INIT;
	cleanup_free int *fds = calloc(lowers->n, sizeof(*fds));
	size_t n;
	int r = 0;

	if (!fds)
		return err_oom(err);
	buf_adds(&options, "lowerdir=");
	for (n = 0; n < lowers->n; n++) {
		fds[n] = open(lowers->items[n], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[n] < 0) {
			r = err_sys(err, "open layer '%s'", lowers->items[n]);
			break;
		}
		buf_addf(&options, "%s/proc/self/fd/%d", n > 0 ? ":" : "", fds[n]);
	}
	add_tail(&options, dir);
	if (r == 0)
		r = mount_with(&options, merged, err);
	while (n-- > 0)
		cleanup_fd_p(&fds[n]);
	return r;
}

static bool has_colon(const struct strv *lowers)
{
	for (size_t i = 0; i < lowers->n; i++)
		if (strchr(lowers->items[i], ':'))
			return true;
	return false;
}

int overlay_mount(const char *dir, const struct strv *lowers, struct error *err)
{
	cleanup_free char *merged = NULL;
	int r;

	r = overlay_is_mounted(dir, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (asprintf(&merged, "%s/merged", dir) < 0) {
		merged = NULL;
		return err_oom(err);
	}
	if (lowers->n == 0)
		return err_set(err, -EINVAL, "mount overlay at '%s': no layers", merged);
	/* Kernels before 6.8 take a colon in lowerdir+ for a separator. */
	if (!has_colon(lowers)) {
		r = mount_layered(dir, lowers, merged, err);
		if (r != -EINVAL && r != -ENOSYS)
			return r;
		log_debug("overlay's layers can't be handed over one by one (%s)", strerror(-r));
	}
	r = mount_by_string(dir, lowers, merged, err);
	return r == -E2BIG ? mount_by_descriptor(dir, lowers, merged, err) : r;
}

int overlay_unmount(const char *dir, int lazy, struct error *err)
{
	cleanup_free char *merged = NULL;
	int r;

	if (asprintf(&merged, "%s/merged", dir) < 0) {
		merged = NULL;
		return err_oom(err);
	}
	/* Mounted over more than once: the loop ends at the folder itself. */
	while ((r = overlay_is_mounted(dir, err)) > 0)
		if (umount2(merged, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0)
			return err_sys(err, "unmount '%s'", merged);
	return r;
}

int overlay_remove(const char *dir, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	r = overlay_unmount(dir, 0, err);
	if (r < 0)
		return r;
	r = open_dir(dir, &fd, err);
	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++)
		r = file_remove_tree_at(fd, folders[i], err);
	return r < 0 ? err_wrap(err, r, "remove '%s'", dir) : 0;
}
