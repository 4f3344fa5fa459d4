/*
 * volumes: named volumes of a container: ROOT/volumes/NAME/_data.
 *
 * An empty volume is filled from the root's folder at its destination when it
 * is first used, as Podman does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/path.h"
#include "base/spawn.h"
#include "pod/container.h"
#include "pod/pod.h"
#include "pod/spec.h"

static int is_empty(const char *path, struct error *err)
{
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, "open folder '%s'", path);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return 0;
	return 1;
}

/* cp keeps owners, modes, times, links and attributes; writing that again gains nothing. */
static int copy_folder(int from, const char *to, struct error *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	struct spawn spawn = SPAWN_INIT;
	int fds[] = { from };
	int r;

	strv_add(&argv, "cp");
	strv_add(&argv, "-aT");
	strv_add(&argv, "--");
	strv_add(&argv, "/proc/self/fd/3/.");
	strv_add(&argv, to);
	if (!strv_ok(&argv))
		return err_oom(err);
	spawn.argv = strv_argv(&argv);
	spawn.fds = fds;
	spawn.n_fds = 1;
	r = spawn_run(&spawn, &result, err);
	return r < 0 ? r : spawn_check("cp", &result, err);
}

static int fill(const char *data, const char *rootfs, const char *destination, struct error *err)
{
	cleanup_fd int rootfd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int from = -EBADF;
	int r = is_empty(data, err);

	if (r <= 0)
		return r;
	if (rootfd < 0)
		return err_sys(err, "open folder '%s'", rootfs);
	from = path_open_in_root(rootfd, destination, O_RDONLY | O_DIRECTORY, 0, NULL);
	return from < 0 ? 0 /* nothing there to begin with */ : copy_folder(from, data, err);
}

static int prepare(const struct pod *pod, const char *rootfs, json_t *mount, struct error *err)
{
	const char *source = json_string_value(json_object_get(mount, "source"));
	const char *destination = json_string_value(json_object_get(mount, "destination"));
	cleanup_free char *data = NULL;
	int r;

	if (!source || !destination || strncmp(source, "volume:", 7) != 0)
		return 0;
	if (asprintf(&data, "%s/volumes/%s/_data", pod->root, source + 7) < 0) {
		data = NULL;
		return err_oom(err);
	}
	r = file_make_dirs_at(AT_FDCWD, data, 0755, err);
	if (r == 0)
		r = fill(data, rootfs, destination, err);
	if (r < 0)
		return err_wrap(err, r, "volume '%s'", source + 7);
	return json_object_set_new(mount, "source", json_string(data)) < 0 ? err_oom(err) : 0;
}

int volumes_prepare(const struct pod *pod, const struct container *c, const char *rootfs,
		    json_t *mounts, struct error *err)
{
	json_t *mount;
	size_t i;
	int r = 0;

	json_array_foreach(mounts, i, mount)
	{
		const char *type = json_string_value(json_object_get(mount, "type"));
		const char *source = json_string_value(json_object_get(mount, "source"));

		r = prepare(pod, rootfs, mount, err);
		if (r < 0)
			return r;
		source = json_string_value(json_object_get(mount, "source"));
		if (type && source && strcmp(type, "bind") == 0 && access(source, F_OK) < 0)
			return err_sys(err, "container %s: volume source '%s'", c->id, source);
	}
	return 0;
}
