#include "ckpt/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"

#define AHEAD_MAX 400 /* descriptors; the rest is opened when it is read */

struct setting {
	uint32_t ns_id;
	const char *path;
	int fd; /* -EBADF: there is no such file */
};

static int by_path(const void *a, const void *b)
{
	const struct setting *x = a;
	const struct setting *y = b;

	if (x->ns_id != y->ns_id)
		return x->ns_id < y->ns_id ? -1 : 1;
	return strcmp(x->path, y->path);
}

static int open_setting(const char *path, int *ret_fd, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return err_sys(err, "open setting '%s'", path);
	*ret_fd = fd < 0 ? -EBADF : fd;
	return 0;
}

int setting_open_ahead(struct dump *dump, uint32_t ns_id, const char *path, struct error *err)
{
	struct setting *setting;
	int r;

	if (dump->n_settings == AHEAD_MAX)
		return 0;
	setting = arena_new(&dump->arena, struct setting);
	if (!setting)
		return err_oom(err);
	setting->ns_id = ns_id;
	setting->path = arena_strdup(&dump->arena, path);
	if (!setting->path)
		return err_oom(err);
	r = open_setting(path, &setting->fd, err);
	if (r < 0)
		return r;
	if (!tsearch(setting, &dump->settings, by_path)) {
		cleanup_fd_p(&setting->fd);
		return err_oom(err);
	}
	dump->n_settings++;
	return 0;
}

static int read_text(int fd, const char *path, char *text, size_t size, struct error *err)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	if (n < 0 && errno == EIO) /* a secret that there is not */
		return 0;
	if (n < 0)
		return err_sys(err, "read setting '%s'", path);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return 1;
}

int setting_read(const struct dump *dump, uint32_t ns_id, const char *path, char *text, size_t size,
		 struct error *err)
{
	const struct setting wanted = { .ns_id = ns_id, .path = path };
	struct setting *const *found = tfind(&wanted, &dump->settings, by_path);
	cleanup_fd int fd = -EBADF;
	int r;

	if (found)
		return (*found)->fd < 0 ? 0 : read_text((*found)->fd, path, text, size, err);
	r = open_setting(path, &fd, err);
	return r < 0 || fd < 0 ? r : read_text(fd, path, text, size, err);
}

static void close_setting(void *node)
{
	struct setting *setting = node;

	cleanup_fd_p(&setting->fd); /* the rest is the arena's */
}

void settings_done(struct dump *dump)
{
	tdestroy(dump->settings, close_setting);
	dump->settings = NULL;
}
