#include "runtime/container.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "runtime/cgroup-tasks.h"
#include "runtime/runtime.h"

#define STATE_VERSION 1
#define STATE_SIZE_MAX ((size_t)16 << 20)
#define ID_MAX 255

int container_check_id(const char *id, struct error *err)
{
	size_t len = strlen(id);
	bool good = len > 0 && len <= ID_MAX && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)id[i]) || strchr("_+-.", id[i]);
	if (!good)
		return err_set(err, -EINVAL, "invalid container ID format: '%s'", id);
	return 0;
}

static int open_root(const struct runtime *rt, bool make, struct error *err)
{
	int fd;
	int r;

	fd = open(rt->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		r = file_make_dirs_at(AT_FDCWD, rt->root, 0711, err);
		if (r < 0)
			return r;
		fd = open(rt->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0) {
		r = err_sys(err, "open state folder '%s'", rt->root);
		if (geteuid() != 0)
			err_hint(err, "cryorun needs root: run it with sudo");
		return r;
	}
	return fd;
}

/* Takes the lock, and sees that the folder is still the one of that name. */
static int lock(struct container *c, struct error *err)
{
	struct stat held;
	struct stat named;

	while (flock(c->dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "lock container '%s'", c->id);
	if (fstat(c->dir, &held) < 0 || fstatat(c->root, c->id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    held.st_ino != named.st_ino)
		return err_set(err, -ENOENT, "container does not exist: '%s' was just deleted",
			       c->id);
	c->locked = true;
	return 0;
}

static int init(const struct runtime *rt, const char *id, bool make, struct container *c,
		struct error *err)
{
	int r = container_check_id(id, err);

	if (r < 0)
		return r;
	c->id = arena_strdup(&c->arena, id);
	if (!c->id)
		return err_oom(err);
	c->root = open_root(rt, make, err);
	if (c->root == -ENOENT)
		return err_set(err, -ENOENT, "container does not exist: '%s'", id);
	return c->root < 0 ? c->root : 0;
}

int container_make(const struct runtime *rt, const char *id, struct container *ret,
		   struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	int r;

	r = init(rt, id, true, &c, err);
	if (r < 0)
		return r;
	if (mkdirat(c.root, id, 0711) < 0) {
		if (errno == EEXIST)
			return err_set(err, -EEXIST, "container with id exists: '%s'", id);
		return err_sys(err, "make folder '%s/%s'", rt->root, id);
	}
	c.dir = openat(c.root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c.dir < 0)
		return err_sys(err, "open folder '%s/%s'", rt->root, id);
	r = lock(&c, err);
	if (r < 0)
		return r;
	*ret = c;
	c = (struct container)CONTAINER_INIT;
	return 0;
}

/* --- state.json -------------------------------------------------------------- */

static int namespace_paths(const struct container *c, json_t **ret)
{
	static const char *const names[][2] = {
		{ "NEWNS", "mnt" },	   { "NEWUTS", "uts" }, { "NEWIPC", "ipc" },
		{ "NEWUSER", "user" },	   { "NEWPID", "pid" }, { "NEWNET", "net" },
		{ "NEWCGROUP", "cgroup" },
	};
	cleanup_json json_t *paths = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", c->init.pid, names[i][1]);
		if (json_object_set_new(paths, names[i][0], json_string(path)) < 0)
			return -ENOMEM;
	}
	*ret = json_incref(paths);
	return 0;
}

/* The keys that other tools read in runc's state.json, besides our own. */
static int cgroup_paths(const struct cgroup *cg, json_t **ret)
{
	cleanup_json json_t *paths = json_object();

	for (size_t i = 0; i < cg->n; i++) {
		const char *list = cg->parts[i].controllers;

		do {
			size_t len = strcspn(list, ",");
			json_t *path = json_sprintf("%s%s", cg->parts[i].mountpoint, cg->path);

			if (json_object_setn_new(paths, list, len, path) < 0)
				return -ENOMEM;
			list += len + (list[len] == ',');
		} while (*list);
	}
	*ret = json_incref(paths);
	return 0;
}

int container_save(const struct container *c, struct error *err)
{
	cleanup_json json_t *cgroup = NULL;
	cleanup_json json_t *paths = NULL;
	cleanup_json json_t *namespaces = NULL;
	cleanup_json json_t *state = NULL;
	cleanup_free char *text = NULL;
	int r;

	r = cgroup_to_json(&c->cgroup, &cgroup, err);
	if (r < 0)
		return r;
	if (cgroup_paths(&c->cgroup, &paths) < 0 || namespace_paths(c, &namespaces) < 0)
		return err_oom(err);
	state = json_pack("{s:i, s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:i, s:O?, s:O, s:O, s:O}",
			  "version", STATE_VERSION, "id", c->id, "init_process_pid", c->init.pid,
			  "init_process_start", (json_int_t)c->init.start, "created", c->created,
			  "oci_version", c->oci_version, "bundle", c->bundle, "rootfs", c->rootfs,
			  "owner_uid", (int)c->owner, "annotations", c->annotations,
			  "namespace_paths", namespaces, "cgroup_paths", paths, "cgroup", cgroup);
	if (!state)
		return err_oom(err);
	r = json_format(state, 0, &text, err);
	if (r >= 0)
		r = file_replace_at(c->dir, CONTAINER_STATE, text, strlen(text), 0600, err);
	if (r < 0)
		return err_wrap(err, r, "remember container '%s'", c->id);
	return 0;
}

static int copy_string(const json_t *json, const char *key, struct arena *arena, const char **ret,
		       struct error *err)
{
	const char *s = "";
	int r = json_field_string(json, "state.json", key, &s, err);

	if (r < 0)
		return r;
	*ret = arena_strdup(arena, s);
	return *ret ? 0 : err_oom(err);
}

static int read_state(const json_t *json, struct container *c, struct error *err)
{
	json_t *cgroup = NULL;
	json_t *annotations = NULL;
	int64_t pid = 0;
	uint64_t owner = 0;
	int r;

	r = copy_string(json, "oci_version", &c->arena, &c->oci_version, err);
	if (r >= 0)
		r = copy_string(json, "bundle", &c->arena, &c->bundle, err);
	if (r >= 0)
		r = copy_string(json, "rootfs", &c->arena, &c->rootfs, err);
	if (r >= 0)
		r = copy_string(json, "created", &c->arena, &c->created, err);
	if (r >= 0)
		r = json_field_int(json, "state.json", "init_process_pid", &pid, err);
	if (r >= 0)
		r = json_field_uint(json, "state.json", "init_process_start", &c->init.start, err);
	if (r >= 0)
		r = json_field_uint(json, "state.json", "owner_uid", &owner, err);
	if (r >= 0)
		r = json_field_object(json, "state.json", "annotations", &annotations, err);
	if (r >= 0)
		r = json_field_object(json, "state.json", "cgroup", &cgroup, err);
	if (r < 0)
		return r;
	if (cgroup) {
		r = cgroup_from_json(cgroup, &c->cgroup, err);
		if (r < 0)
			return r;
	}
	if (pid < 0 || pid > INT32_MAX)
		return err_set(err, -EBADMSG, "state.json: strange process id");
	c->init.pid = (pid_t)pid;
	c->owner = (uid_t)owner;
	c->annotations = json_incref(annotations);
	c->complete = true;
	return 0;
}

static int load(struct container *c, struct error *err)
{
	cleanup_json json_t *json = NULL;
	int r;

	r = json_read_at(c->dir, CONTAINER_STATE, STATE_SIZE_MAX, &json, err);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = read_state(json, c, err);
	if (r < 0)
		return err_wrap(err, r, "container '%s'", c->id);
	return 0;
}

int container_open(const struct runtime *rt, const char *id, bool wanted_lock,
		   struct container *ret, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	int r;

	r = init(rt, id, false, &c, err);
	if (r < 0)
		return r;
	c.dir = openat(c.root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c.dir < 0 && errno == ENOENT)
		return err_set(err, -ENOENT, "container does not exist: '%s'", id);
	if (c.dir < 0)
		return err_sys(err, "open folder '%s/%s'", rt->root, id);
	if (wanted_lock) {
		r = lock(&c, err);
		if (r < 0)
			return r;
	}
	r = load(&c, err);
	if (r < 0)
		return r;
	*ret = c;
	c = (struct container)CONTAINER_INIT;
	return 0;
}

/* --- status ------------------------------------------------------------------ */

/* Somebody is at work on it. */
static bool is_locked(const struct container *c)
{
	cleanup_fd int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return !c->locked && fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

enum container_status container_status(const struct container *c)
{
	if (c->init.pid == 0)
		return is_locked(c) ? CONTAINER_CREATING : CONTAINER_STOPPED;
	if (!procref_alive(&c->init))
		return CONTAINER_STOPPED;
	if (faccessat(c->dir, CONTAINER_FIFO, F_OK, 0) == 0)
		return CONTAINER_CREATED;
	return cgroup_is_frozen(&c->cgroup) ? CONTAINER_PAUSED : CONTAINER_RUNNING;
}

const char *container_status_name(enum container_status status)
{
	static const char *const names[] = {
		[CONTAINER_CREATING] = "creating", [CONTAINER_CREATED] = "created",
		[CONTAINER_RUNNING] = "running",   [CONTAINER_PAUSED] = "paused",
		[CONTAINER_STOPPED] = "stopped",
	};

	return names[status];
}

int container_state_json(const struct container *c, enum container_status status, json_t **ret,
			 struct error *err)
{
	const bool gone = status == CONTAINER_STOPPED;
	json_t *state;

	state = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:O*, s:s}", "ociVersion",
			  c->oci_version ? c->oci_version : "", "id", c->id, "pid",
			  gone ? 0 : c->init.pid, "status", container_status_name(status), "bundle",
			  c->bundle ? c->bundle : "", "rootfs", c->rootfs ? c->rootfs : "",
			  "created", c->created ? c->created : "", "annotations", c->annotations,
			  "owner", "");
	if (!state)
		return err_oom(err);
	*ret = state;
	return 0;
}

/* --- end --------------------------------------------------------------------- */

int container_remove(const struct container *c, struct error *err)
{
	int r = file_remove_tree_at(c->root, c->id, err);

	if (r < 0)
		return err_wrap(err, r, "forget container '%s'", c->id);
	return 0;
}

void container_unlock(struct container *c)
{
	/* Descriptors that a child has inherited don't keep it locked. */
	if (c->locked)
		(void)flock(c->dir, LOCK_UN);
	c->locked = false;
}

void container_done(struct container *c)
{
	int saved = errno;

	container_unlock(c);
	if (c->dir >= 0)
		(void)close(c->dir); /* opened for reading only */
	if (c->root >= 0)
		(void)close(c->root); /* the same */
	cgroup_forget(&c->cgroup);
	json_decref(c->annotations);
	arena_done(&c->arena);
	*c = (struct container)CONTAINER_INIT;
	errno = saved;
}
