#include "ckpt/watched.h"

#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/ghost.h"
#include "ckpt/mnt.h"

#define FDINFO_MAX ((size_t)16 << 20)
#define WORDS_OF_HANDLE 16 /* as many CRIU's images always have */

struct nameless {
	struct nameless *next;
	const char *where;
	dev_t dev;
	ino_t ino;
};

/* ---------------------------------------------------------------------- reading */

bool watched_number(const char *line, const char *key, uint64_t *ret)
{
	const char *end = line + strcspn(line, "\n");
	const char *p = strstr(line, key);

	if (!p || p >= end)
		return false;
	p += strlen(key);
	return scan_u64(&p, 16, ret);
}

static bool read_handle(const char *line, struct watched *watched)
{
	const char *end = line + strcspn(line, "\n");
	const char *p = strstr(line, "f_handle:");

	if (!p || p >= end || watched->bytes > WATCHED_HANDLE_MAX)
		return false;
	p += strlen("f_handle:");
	for (uint32_t i = 0; i < watched->bytes; i++, p += 2) {
		int high = scan_digit(p[0]);
		int low = high < 16 ? scan_digit(p[1]) : 99;

		if (low >= 16)
			return false;
		watched->handle[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool watched_parse(const char *line, struct watched *ret)
{
	struct watched watched = { .bytes = 0 };
	uint64_t sdev, bytes, type;

	if (!watched_number(line, "ino:", &watched.ino) || !watched_number(line, " sdev:", &sdev))
		return false;
	watched.sdev = (uint32_t)sdev;
	if (watched_number(line, " fhandle-bytes:", &bytes) &&
	    watched_number(line, " fhandle-type:", &type)) {
		watched.bytes = (uint32_t)bytes;
		watched.type = (uint32_t)type;
		if (!read_handle(line, &watched))
			return false;
	}
	*ret = watched;
	return true;
}

/* ------------------------------------------------------------------------ names */

#define ORDER(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_handle(const void *pa, const void *pb)
{
	const struct watched *a = &((const struct watched_wanted *)pa)->watched;
	const struct watched *b = &((const struct watched_wanted *)pb)->watched;

	if (a->sdev != b->sdev)
		return ORDER(a->sdev, b->sdev);
	if (a->bytes != b->bytes)
		return ORDER(a->bytes, b->bytes);
	if (!a->bytes)
		return ORDER(a->ino, b->ino);
	if (a->type != b->type)
		return ORDER(a->type, b->type);
	return memcmp(a->handle, b->handle, a->bytes);
}

struct watched_wanted *watched_wanted(struct dump *dump, const struct watched *watched)
{
	const struct watched_wanted key = { .watched = *watched };
	struct watched_wanted *const *found = tfind(&key, &dump->watched, by_handle);

	return found ? *found : NULL;
}

static struct watched_wanted *add_wanted(struct dump *dump, const struct watched *watched)
{
	struct watched_wanted *wanted = watched_wanted(dump, watched);

	if (wanted)
		return wanted;
	wanted = arena_new(&dump->arena, struct watched_wanted);
	if (!wanted)
		return NULL;
	wanted->watched = *watched;
	return tsearch(wanted, &dump->watched, by_handle) ? wanted : NULL;
}

/* The mounts of the root task's namespace: names in others can't be told to a restore. */
static const struct mountinfo_table *mounts_of(const struct dump *dump)
{
	return &dump->mnts[0].table;
}

/* Does the path lead there? */
static bool leads_to(struct dump *dump, const char *path, const struct watched *watched)
{
	cleanup_fd int fd = dump_open_path(dump, path, O_PATH | O_NOFOLLOW, NULL);
	struct watched found;

	return fd >= 0 && watched_look(fd, "", watched->sdev, &found) &&
	       by_handle(&(struct watched_wanted){ .watched = found },
			 &(struct watched_wanted){ .watched = *watched }) == 0;
}

/*
 * By its handle, through one mount. 1: *ret_path is its name; 0: not this way.
 * *ret_fd is the file even if it has no name in this mount.
 */
static int name_in_mount(struct dump *dump, const struct mountinfo *mount,
			 const struct watched *watched, int *ret_fd, char **ret_path)
{
	struct {
		struct file_handle head;
		unsigned char data[WATCHED_HANDLE_MAX];
	} handle = { .head = { .handle_bytes = watched->bytes,
			       .handle_type = (int)watched->type } };
	cleanup_fd int any =
		dump_open_path(dump, mount->mountpoint, O_RDONLY | O_NONBLOCK | O_NOATIME, NULL);
	char link[64], path[PATH_MAX];
	ssize_t n;
	int fd;

	if (any < 0)
		return 0;
	memcpy(handle.data, watched->handle, watched->bytes);
	fd = open_by_handle_at(any, &handle.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (*ret_fd >= 0)
		(void)close(*ret_fd); /* the same file by another mount */
	*ret_fd = fd;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* always fits */
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	if (!leads_to(dump, path, watched))
		return 0;
	*ret_path = arena_strdup(&dump->arena, path);
	return *ret_path ? 1 : -ENOMEM;
}

static int by_name_of_handle(struct dump *dump, const struct watched *watched, int *ret_fd,
			     char **ret_path)
{
	int r = 0;

	const struct mountinfo_table *table = mounts_of(dump);

	for (size_t i = 0; watched->bytes && i < table->n && r == 0; i++)
		if (mnt_device(&table->mounts[i]) == watched->sdev)
			r = name_in_mount(dump, &table->mounts[i], watched, ret_fd, ret_path);
	return r;
}

/* Folders are where mounts are: the mount with the longest beginning of the path has it. */
static const struct mountinfo *mount_of(const struct dump *dump, const char *path,
					const struct watched *watched)
{
	const struct mountinfo *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < mounts_of(dump)->n; i++) {
		const struct mountinfo *mount = &mounts_of(dump)->mounts[i];
		size_t len = strlen(mount->mountpoint);

		if (mnt_device(mount) != watched->sdev || strncmp(path, mount->mountpoint, len) ||
		    (len > 1 && path[len] && path[len] != '/') || len < best_len)
			continue;
		best = mount;
		best_len = len;
	}
	return best;
}

/* ----------------------------------------------------------------------- saving */

static int note_nameless(struct dump *dump, const char *where, const struct watched *watched,
			 const struct stat *st, struct error *err)
{
	struct nameless *nameless = arena_new(&dump->arena, struct nameless);

	/* On btrfs, say, the two differ; the images tell only one of them. */
	if (makedev(watched->sdev >> 20, watched->sdev & 0xfffff) != st->st_dev)
		return err_set(err, -EOPNOTSUPP, "%s: it watches a deleted file, inode %" PRIu64,
			       where, watched->ino);
	if (!nameless)
		return err_oom(err);
	nameless->where = where;
	nameless->dev = st->st_dev;
	nameless->ino = st->st_ino;
	nameless->next = dump->watched_nameless;
	dump->watched_nameless = nameless;
	return 0;
}

static int find_name(struct dump *dump, const char *where, const struct watched *watched,
		     char **ret_path, struct error *err)
{
	struct watched_wanted *wanted = watched_wanted(dump, watched);
	cleanup_fd int fd = -EBADF;
	struct stat st;
	int r;

	if (wanted && wanted->path && leads_to(dump, wanted->path, watched)) {
		*ret_path = wanted->path;
		return 0;
	}
	r = by_name_of_handle(dump, watched, &fd, ret_path);
	if (r != 0)
		return r < 0 ? err_oom(err) : 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && !st.st_nlink) {
		*ret_path = NULL;
		return note_nameless(dump, where, watched, &st, err);
	}
	wanted = add_wanted(dump, watched);
	if (!wanted)
		return err_oom(err);
	wanted->path = NULL;
	r = watched_search(dump, watched->sdev, 1, err);
	if (r < 0)
		return err_wrap(err, r, "%s: looking for the name of what it watches", where);
	*ret_path = wanted->path;
	if (wanted->path)
		return 0;
	r = err_set(err, -EOPNOTSUPP,
		    "%s: no name can be found for what it watches: inode %" PRIu64
		    " of device %u:%u",
		    where, watched->ino, watched->sdev >> 20, watched->sdev & 0xfffff);
	err_hint(err, "it was deleted, or lies outside of the tree's mounts; let the program "
		      "remove the watch");
	return r;
}

int watched_save(struct dump *dump, const char *where, const struct watched *watched,
		 FhEntry *handle, struct error *err)
{
	const struct mountinfo *mount;
	char *path = NULL;
	int r;

	handle->bytes = watched->bytes;
	handle->type = watched->type;
	handle->n_handle = WORDS_OF_HANDLE;
	handle->handle = arena_new_array(&dump->arena, uint64_t, WORDS_OF_HANDLE);
	if (!handle->handle)
		return err_oom(err);
	memcpy(handle->handle, watched->handle, watched->bytes);
	r = find_name(dump, where, watched, &path, err);
	if (r < 0 || !path)
		return r;
	handle->path = path;
	if (dump->ns[DUMP_NS_MNT].other) {
		mount = mount_of(dump, path, watched);
		handle->has_mnt_id = mount != NULL;
		handle->mnt_id = mount ? (uint32_t)mount->id : 0;
	}
	return 0;
}

int watched_finish(struct dump *dump, struct error *err)
{
	for (const struct nameless *n = dump->watched_nameless; n; n = n->next) {
		int r;

		if (ghost_is_saved(dump, n->dev, n->ino))
			continue;
		r = err_set(err, -EOPNOTSUPP,
			    "%s: it watches a deleted file, inode %ju, that the tree does not hold "
			    "open",
			    n->where, (uintmax_t)n->ino);
		err_hint(err, "let the program remove the watch");
		return r;
	}
	return 0;
}

static void keep(void *node UNUSED)
{
}

void watched_done(struct dump *dump)
{
	tdestroy(dump->watched, keep);
	dump->watched = NULL;
}

/* -------------------------------------------------------------- before the freeze */

/* What this descriptor watches and no handle leads to is wanted. */
static int want_lines(struct dump *dump, const char *text, struct error *err)
{
	for (const char *line = text; *line; line = scan_next_line(line)) {
		struct watched_wanted *wanted;
		struct watched watched;
		char *path = NULL;
		int fd = -EBADF;
		int r;

		if ((strncmp(line, "inotify ", 8) && strncmp(line, "fanotify ino:", 13)) ||
		    !watched_parse(line, &watched))
			continue;
		r = by_name_of_handle(dump, &watched, &fd, &path);
		if (fd >= 0)
			(void)close(fd); /* it was only looked at */
		if (r < 0)
			return err_oom(err);
		if (r > 0 || fd >= 0)
			continue;
		wanted = add_wanted(dump, &watched);
		if (!wanted)
			return err_oom(err);
	}
	return 0;
}

static int want_task(struct dump *dump, pid_t host_pid, struct error *err)
{
	cleanup_free int *numbers = NULL;
	size_t n = 0;
	int r = proc_fds_of(host_pid, &numbers, &n, NULL);

	if (r < 0)
		return 0; /* it is gone, or will be told */
	r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		cleanup_free char *text = NULL;
		char path[64], link[64];
		size_t len;
		ssize_t got;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", host_pid, numbers[i]);
		got = readlink(path, link, sizeof(link) - 1);
		if (got < 0)
			continue;
		link[got] = '\0';
		if (strncmp(link, "anon_inode:", 11) || !strstr(link, "notify"))
			continue;
		if (!dump->n_mnts)
			r = mnt_collect(dump, err);
		if (r < 0)
			return r;
		(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", host_pid, numbers[i]);
		if (file_read_at(AT_FDCWD, path, FDINFO_MAX, &text, &len, NULL) == 0)
			r = want_lines(dump, text, err);
	}
	return r;
}

static int want_tree(struct dump *dump, pid_t host_pid, struct error *err)
{
	cleanup_free pid_t *children = NULL;
	size_t n = 0;
	int r = want_task(dump, host_pid, err);

	if (r == 0 && proc_children_of(host_pid, &children, &n, NULL) < 0)
		return 0; /* it is gone */
	for (size_t i = 0; i < n && r == 0; i++)
		r = want_tree(dump, children[i], err);
	return r;
}

/* tsearch(3) has no other way to walk: the first that was not looked for, with how many
 * there are of its device. */
struct next {
	uint32_t sdev;
	size_t n;
	bool found;
};

static void find_next(const void *node, VISIT which, void *arg)
{
	struct watched_wanted *wanted = *(struct watched_wanted *const *)node;
	struct next *next = arg;

	if ((which != postorder && which != leaf) || wanted->looked || wanted->path)
		return;
	if (!next->found)
		next->sdev = wanted->watched.sdev;
	if (next->sdev != wanted->watched.sdev)
		return;
	next->found = true;
	next->n++;
	wanted->looked = true;
}

int watched_prepare(struct dump *dump, struct error *err)
{
	int r = want_tree(dump, dump->opts->pid, err);

	while (r == 0) {
		struct next next = { .found = false };

		twalk_r(dump->watched, find_next, &next);
		if (!next.found)
			return 0;
		r = watched_search(dump, next.sdev, next.n, err);
	}
	return r;
}
