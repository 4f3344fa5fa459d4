#include "pod/pod.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "pod/db.h"
#include "store/store.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static int format_path(char **ret, struct error *err, const char *a, const char *b)
{
	if (asprintf(ret, "%s/%s", a, b) < 0) {
		*ret = NULL;
		return err_oom(err);
	}
	return 0;
}

/* Makes the folder and gives its absolute name. */
static int make_folder(const char *path, mode_t mode, char **ret, struct error *err)
{
	int r = file_make_dirs_at(AT_FDCWD, path, mode, err);

	if (r < 0)
		return r;
	*ret = realpath(path, NULL);
	return *ret ? 0 : err_sys(err, "find folder '%s'", path);
}

static int read_boot_id(char **ret, struct error *err)
{
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, BOOT_ID, 128, ret, &len, err);

	if (r == 0)
		(*ret)[strcspn(*ret, "\n")] = '\0';
	return r;
}

static int find_self(char **ret, struct error *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return err_sys(err, "find this program's own file");
	path[n] = '\0';
	*ret = strdup(path);
	return *ret ? 0 : err_oom(err);
}

static int make_folders(struct pod *pod, struct error *err)
{
	const struct pod_settings *s = &pod->settings;
	cleanup_free char *containers = NULL;
	cleanup_free char *exits = NULL;
	int r = make_folder(s->root, 0700, &pod->root, err);

	if (r == 0)
		r = make_folder(s->runroot, 0700, &pod->runroot, err);
	if (r == 0)
		r = format_path(&exits, err, s->tmpdir ? s->tmpdir : pod->runroot, "exits");
	if (r == 0)
		r = make_folder(exits, 0700, &pod->exits, err);
	if (r == 0)
		r = format_path(&containers, err, pod->root, "containers");
	return r < 0 ? r : file_make_dirs_at(AT_FDCWD, containers, 0700, err);
}

int pod_open(const struct pod_settings *settings, struct pod *ret, struct error *err)
{
	struct pod pod = { .settings = *settings };
	cleanup_free char *database = NULL;
	int r;

	if (geteuid() != 0) {
		r = err_set(err, -EPERM, "working with containers requires root");
		err_hint(err, "run it with sudo");
		return r;
	}
	r = make_folders(&pod, err);
	if (r == 0)
		r = find_self(&pod.self, err);
	if (r == 0)
		r = read_boot_id(&pod.boot_id, err);
	if (r == 0)
		r = format_path(&database, err, pod.root, "cryopod.db");
	if (r == 0)
		r = db_open(database, &pod.db, err);
	if (r < 0) {
		pod_done(&pod);
		return r;
	}
	*ret = pod;
	return 0;
}

void pod_done(struct pod *pod)
{
	db_close(pod->db);
	store_close(pod->store);
	free(pod->root);
	free(pod->runroot);
	free(pod->exits);
	free(pod->self);
	free(pod->boot_id);
	*pod = (struct pod)POD_INIT;
}

int pod_store(struct pod *pod, struct store **ret, struct error *err)
{
	int r = pod->store ? 0 : store_open(pod->root, &pod->store, err);

	if (r == 0)
		*ret = pod->store;
	return r;
}

int pod_path(const struct pod *pod, const char *id, const char *name, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/containers/%s%s%s", pod->root, id, name[0] ? "/" : "", name) < 0) {
		*ret = NULL;
		return err_oom(err);
	}
	return 0;
}

/* 1: found and taken. */
static int try_program(const char *folder, size_t len, const char *name, char **ret)
{
	char *path = NULL;

	if (asprintf(&path, "%.*s/%s", (int)len, folder, name) < 0)
		return -ENOMEM;
	if (access(path, X_OK) == 0) {
		*ret = path;
		return 1;
	}
	free(path);
	return 0;
}

int pod_find_program(const struct pod *pod, const char *name, char **ret, struct error *err)
{
	const char *slash = strrchr(pod->self, '/');
	const char *path = getenv("PATH");
	int r;

	if (strchr(name, '/')) {
		*ret = realpath(name, NULL);
		return *ret ? 0 : err_sys(err, "find program '%s'", name);
	}
	r = try_program(pod->self, slash ? (size_t)(slash - pod->self) : 0, name, ret);
	for (const char *at = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"; r == 0;) {
		size_t len = strcspn(at, ":");

		r = try_program(at, len, name, ret);
		if (at[len] == '\0')
			break;
		at += len + 1;
	}
	if (r < 0)
		return err_oom(err);
	return r > 0 ? 0 : err_set(err, -ENOENT, "no program '%s' in PATH", name);
}
