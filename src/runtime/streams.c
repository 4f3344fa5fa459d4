#include "runtime/streams.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "runtime/container.h"

#define FILE_MAX ((size_t)1 << 16)

/* What a link of /proc says; a closed descriptor is the empty string. */
static int look(pid_t pid, int fd, json_t **ret, struct error *err)
{
	char target[PATH_MAX];
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd); /* always fits */
	n = readlink(path, target, sizeof(target));
	if (n < 0 && errno != ENOENT)
		return err_sys(err, "read link '%s'", path);
	*ret = json_stringn_nocheck(target, n < 0 ? 0 : (size_t)n);
	return *ret ? 0 : err_oom(err);
}

static int look_at_all(pid_t pid, json_t *list, struct error *err)
{
	for (int fd = 0; fd < STREAMS_N; fd++) {
		json_t *one = NULL;
		int r = look(pid, fd, &one, err);

		if (r < 0)
			return r;
		if (json_array_append_new(list, one) < 0)
			return err_oom(err);
	}
	return 0;
}

static int write_list(int dir, const json_t *list, struct error *err)
{
	cleanup_free char *text = NULL;
	int r = json_format(list, 0, &text, err);

	/* Written while the container is frozen, like the images it belongs to: not synced. */
	return r < 0 ? r : file_write_at(dir, STREAMS_FILE, text, strlen(text), 0600, err);
}

int streams_note(const struct container *c, pid_t pid, struct error *err)
{
	cleanup_json json_t *list = json_array();
	int r = look_at_all(pid, list, err);

	return r < 0 ? r : write_list(c->dir, list, err);
}

int streams_note_restored(const struct container *c, const json_t *list, const bool own[STREAMS_N],
			  struct error *err)
{
	cleanup_json json_t *now = json_array();

	for (int fd = 0; fd < STREAMS_N; fd++) {
		json_t *one = own[fd] ? NULL : json_incref(json_array_get(list, (size_t)fd));
		int r = own[fd] ? look(getpid(), fd, &one, err) : 0;

		if (r < 0)
			return r;
		if (json_array_append_new(now, one) < 0)
			return err_oom(err);
	}
	return write_list(c->dir, now, err);
}

static int read_list(int dir, json_t **ret_list, struct error *err)
{
	int r = json_read_at(dir, STREAMS_FILE, FILE_MAX, ret_list, err);

	for (size_t fd = 0; fd < STREAMS_N && r == 0; fd++)
		if (!json_is_string(json_array_get(*ret_list, fd)))
			r = err_set(err, -EBADMSG, "%s: expected three strings", STREAMS_FILE);
	return r;
}

int streams_save(const struct container *c, int images, struct error *err)
{
	cleanup_json json_t *list = NULL;
	int r = read_list(c->dir, &list, err);

	return r < 0 ? r : write_list(images, list, err);
}

int streams_load(int images, json_t **ret_list, struct error *err)
{
	return read_list(images, ret_list, err);
}
