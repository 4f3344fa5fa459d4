/*
 * watched-search: names for inodes, by looking at all there is.
 *
 * Breadth first, for what is watched mostly lies near the root; other mounts are
 * not entered. Opening a folder and reading it are events, too: a program that
 * watches folders for being read will see this.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/mnt.h"
#include "ckpt/watched.h"

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* Linux 6.5 */
#endif

#define ENTRIES_MAX 4000000 /* names that are looked at before it is given up */

struct search {
	uint32_t sdev;
	size_t left; /* wanted, not found */
	size_t seen;
	char **todo; /* folders, in the order they were found; relative to the mount */
	size_t n_todo;
	size_t size;
};

bool watched_look(int dir, const char *name, uint32_t sdev, struct watched *ret)
{
	struct {
		struct file_handle head;
		unsigned char data[WATCHED_HANDLE_MAX];
	} handle = { .head.handle_bytes = WATCHED_HANDLE_MAX };
	struct watched watched = { .sdev = sdev };
	int flags = name[0] ? 0 : AT_EMPTY_PATH;
	struct stat st;
	int mount, r;

	r = name_to_handle_at(dir, name, &handle.head, &mount, AT_HANDLE_FID | flags);
	/* Older kernels have only handles that can be opened. */
	if (r < 0 && errno == EINVAL)
		r = name_to_handle_at(dir, name, &handle.head, &mount, flags);
	if (r == 0) {
		watched.bytes = handle.head.handle_bytes;
		watched.type = (uint32_t)handle.head.handle_type;
		memcpy(watched.handle, handle.data, watched.bytes);
	} else if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | flags) == 0) {
		watched.ino = st.st_ino;
	} else {
		return false;
	}
	*ret = watched;
	return true;
}

static int add_todo(struct search *search, const char *folder, const char *name, struct error *err)
{
	size_t len = strlen(folder) + strlen(name) + 2;
	char *path = malloc(len);

	if (!path)
		return err_oom(err);
	(void)snprintf(path, len, "%s%s%s", folder, *folder ? "/" : "", name); /* fits */
	if (search->n_todo == search->size) {
		size_t size = search->size ? 2 * search->size : 256;
		char **more = reallocarray(search->todo, size, sizeof(*more));

		if (!more) {
			free(path);
			return err_oom(err);
		}
		search->todo = more;
		search->size = size;
	}
	search->todo[search->n_todo++] = path;
	return 0;
}

/* Is the name one of those that are wanted? */
static int look_at(struct dump *dump, struct search *search, const char *mountpoint,
		   const char *folder, int dir, const char *name, struct error *err)
{
	struct watched_wanted *wanted;
	struct watched watched;

	if (!watched_look(dir, name, search->sdev, &watched))
		return 0;
	wanted = watched_wanted(dump, &watched);
	if (!wanted || wanted->path)
		return 0;
	wanted->path = arena_printf(&dump->arena, "%s%s%s%s%s", mountpoint,
				    *folder && mountpoint[1] ? "/" : "", folder,
				    *name && (*folder || mountpoint[1]) ? "/" : "", name);
	if (!wanted->path)
		return err_oom(err);
	search->left--;
	return 0;
}

static int read_folder(struct dump *dump, struct search *search, const char *mountpoint, int root,
		       const char *folder, struct error *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NOATIME,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	int fd = (int)syscall(SYS_openat2, root, *folder ? folder : ".", &how, sizeof(how));
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int r = 0;

	if (fd < 0)
		return 0; /* another mount, or gone meanwhile */
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd); /* not taken over */
		return err_oom(err);
	}
	while (r == 0 && search->left && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (search->seen++ > ENTRIES_MAX)
			return err_set(err, -E2BIG, "more than %d names", ENTRIES_MAX);
		r = look_at(dump, search, mountpoint, folder, dirfd(dir), entry->d_name, err);
		if (r == 0 && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
			r = add_todo(search, folder, entry->d_name, err);
	}
	return r;
}

static int search_mount(struct dump *dump, struct search *search, const char *mountpoint,
			struct error *err)
{
	cleanup_fd int root = dump_open_path(dump, mountpoint, O_PATH, NULL);
	int r;

	if (root < 0)
		return 0; /* covered by another mount */
	r = look_at(dump, search, mountpoint, "", root, "", err);
	if (r == 0)
		r = add_todo(search, "", "", err);
	for (size_t i = 0; i < search->n_todo && r == 0 && search->left; i++)
		r = read_folder(dump, search, mountpoint, root, search->todo[i], err);
	for (size_t i = 0; i < search->n_todo; i++)
		free(search->todo[i]);
	search->n_todo = 0;
	return r;
}

int watched_search(struct dump *dump, uint32_t sdev, size_t n, struct error *err)
{
	const struct mountinfo_table *table = &dump->mnts[0].table;
	struct search search = { .sdev = sdev, .left = n };
	int r = 0;

	for (size_t i = 0; i < table->n && r == 0 && search.left; i++) {
		const struct mountinfo *mount = &table->mounts[i];

		if (mnt_device(mount) == sdev) {
			log_debug("searching '%s' for %zu watched files", mount->mountpoint,
				  search.left);
			r = search_mount(dump, &search, mount->mountpoint, err);
		}
	}
	free(search.todo);
	return r;
}
