#include "runtime/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#define CPUSET_TEXT_MAX ((size_t)1 << 16)
#define OWN_TEXT_MAX ((size_t)1 << 20)
#define REMOVE_TRIES 250 /* of 2 ms and more: a killed process leaves its group late */

/* --- the path --------------------------------------------------------------- */

/* "a-b.slice" lies in "a.slice": systemd's names carry their folders. */
static void add_slice(struct buf *path, const char *slice, size_t len)
{
	static const char suffix[] = ".slice";
	size_t stem = len > strlen(suffix) ? len - strlen(suffix) : len;

	for (size_t i = 1; i < stem; i++)
		if (slice[i] == '-')
			buf_addf(path, "/%.*s.slice", (int)i, slice);
	buf_addf(path, "/%.*s", (int)len, slice);
}

/* "system.slice:runc:c1" -> "/system.slice/runc-c1.scope" */
static bool add_systemd_name(struct buf *path, const char *wanted)
{
	const char *prefix = strchr(wanted, ':');
	const char *name = prefix ? strchr(prefix + 1, ':') : NULL;
	size_t slice_len;

	if (!name || *wanted == '/')
		return false;
	slice_len = (size_t)(prefix - wanted);
	add_slice(path, slice_len ? wanted : "system.slice",
		  slice_len ? slice_len : strlen("system.slice"));
	if (strlen(name) > 7 && strcmp(name + strlen(name) - 6, ".slice") == 0)
		buf_addf(path, "/%s", name + 1);
	else
		buf_addf(path, "/%.*s%s%s.scope", (int)(name - prefix - 1), prefix + 1,
			 name == prefix + 1 ? "" : "-", name + 1);
	return true;
}

/* Copies with single slashes and without "." parts; ".." is refused. */
static int add_clean_path(struct buf *path, const char *wanted, struct error *err)
{
	const char *p = wanted;

	while (*p) {
		size_t len = strcspn(p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0)
			return err_set(err, -EBADMSG, "linux.cgroupsPath: '%s' has a '..'", wanted);
		if (len > 0 && !(len == 1 && *p == '.'))
			buf_addf(path, "/%.*s", (int)len, p);
		p += len + (p[len] == '/');
	}
	return 0;
}

/* Hierarchies with a name and no controller are somebody's own, and come and go. systemd's is
 * the one that all know. */
static bool is_of_others(const struct cgroup_hierarchy *h)
{
	return strncmp(h->controllers, "name=", 5) == 0 &&
	       strcmp(h->controllers, "name=systemd") != 0;
}

static int add_parts(struct cgroup *cg, const struct cgroupfs *all, struct error *err)
{
	cg->parts = arena_new_array(&cg->arena, struct cgroup_part, all->n);
	if (all->n > 0 && !cg->parts)
		return err_oom(err);
	for (size_t i = 0; i < all->n; i++) {
		const struct cgroup_hierarchy *h = &all->hierarchies[i];

		if (is_of_others(h))
			continue;
		if (cgroup_path_covers(cg->path, h->own))
			return err_set(err, -EPERM,
				       "cgroup '%s' of '%s' is the runtime's own or above it",
				       cg->path, h->mountpoint);
		cg->parts[cg->n++] = (struct cgroup_part){
			.v2 = h->v2,
			.controllers = arena_strdup(&cg->arena, h->controllers),
			.mountpoint = arena_strdup(&cg->arena, h->mountpoint),
		};
	}
	return arena_ok(&cg->arena) ? 0 : err_oom(err);
}

int cgroup_plan(const struct cgroupfs *all, const char *wanted, const char *id, struct cgroup *ret,
		struct error *err)
{
	cleanup_cgroup struct cgroup cg = CGROUP_INIT;
	cleanup_buf struct buf path = BUF_INIT;
	int r = 0;

	if (!wanted || !*wanted)
		buf_addf(&path, "/cryorun/%s", id);
	else if (!add_systemd_name(&path, wanted))
		r = add_clean_path(&path, wanted, err);
	if (r < 0)
		return r;
	if (!buf_ok(&path))
		return err_oom(err);
	if (path.len == 0)
		return err_set(err, -EBADMSG, "linux.cgroupsPath: '%s' is the root of all cgroups",
			       wanted);
	cg.path = arena_strdup(&cg.arena, buf_str(&path));
	if (!cg.path)
		return err_oom(err);
	r = add_parts(&cg, all, err);
	if (r < 0)
		return r;
	*ret = cg;
	cg = (struct cgroup)CGROUP_INIT;
	return 0;
}

const struct cgroup_part *cgroup_find(const struct cgroup *cg, const char *controller)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_part *part = &cg->parts[i];

		if (*controller == '\0'
			    ? part->v2
			    : !part->v2 && cgroup_controllers_have(part->controllers, controller))
			return part;
	}
	return NULL;
}

/* --- making ----------------------------------------------------------------- */

/* A new v1 cpuset has no processor and no memory, and takes no process until it has. */
static int fill_cpuset(int parent, int dir, struct error *err)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *ours = NULL;
		cleanup_free char *theirs = NULL;
		int r;

		r = file_read_at(dir, files[i], CPUSET_TEXT_MAX, &ours, NULL, err);
		if (r >= 0 && ours[strspn(ours, " \n")] == '\0') {
			r = file_read_at(parent, files[i], CPUSET_TEXT_MAX, &theirs, NULL, err);
			if (r >= 0)
				r = file_poke_at(dir, files[i], theirs, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Gives the controllers on to the groups below. One that can't be given is missed later, when
 * a limit of it is set. */
static void pass_controllers(int dir)
{
	cleanup_free char *list = NULL;
	char *rest;
	char *word;

	if (file_read_at(dir, "cgroup.controllers", CPUSET_TEXT_MAX, &list, NULL, NULL) < 0)
		return;
	rest = list;
	while ((word = strsep(&rest, " \n"))) {
		char text[64];

		if (!*word)
			continue;
		(void)snprintf(text, sizeof(text), "+%s", word);
		(void)file_poke_at(dir, "cgroup.subtree_control", text, NULL); /* see above */
	}
}

/* Opens the folder `name` in `parent`, making it if absent. *ret_made says so. */
static int enter_group(const struct cgroup_part *part, int parent, const char *name, bool *ret_made,
		       struct error *err)
{
	cleanup_fd int dir = -EBADF;
	bool made = true;
	int r;

	if (part->v2)
		pass_controllers(parent);
	if (mkdirat(parent, name, 0755) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "make cgroup '%s' in '%s'", name, part->mountpoint);
		made = false;
	}
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open cgroup '%s' in '%s'", name, part->mountpoint);
	if (!part->v2 && cgroup_controllers_have(part->controllers, "cpuset")) {
		r = fill_cpuset(parent, dir, err);
		if (r < 0)
			return r;
	}
	*ret_made = made;
	return take_fd(&dir);
}

static int check_empty(const struct cgroup *cg, const struct cgroup_part *part, int dir,
		       struct error *err)
{
	cleanup_free char *procs = NULL;
	int r = file_read_at(dir, "cgroup.procs", SIZE_MAX / 4, &procs, NULL, err);

	if (r < 0)
		return err_wrap(err, r, "cgroup '%s%s'", part->mountpoint, cg->path);
	if (*procs == '\0')
		return 0;
	r = err_set(err, -EEXIST, "cgroup '%s%s' is in use by others", part->mountpoint, cg->path);
	err_hint(err, "give the container another linux.cgroupsPath");
	return r;
}

/* Walks down from the mount point. -ENOENT: a folder above vanished meanwhile. */
static int make_part(const struct cgroup *cg, struct cgroup_part *part, struct error *err)
{
	cleanup_fd int dir = -EBADF;
	const char *p = cg->path;
	struct stat st;
	bool made = false;

	dir = open(part->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open '%s'", part->mountpoint);
	part->parents_made = 0;
	while (*p) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(++p, "/");
		int next;

		if (len > NAME_MAX)
			return err_set(err, -ENAMETOOLONG, "cgroup '%s': name too long", cg->path);
		memcpy(name, p, len);
		name[len] = '\0';
		p += len;
		next = enter_group(part, dir, name, &made, err);
		if (next < 0)
			return next;
		(void)close(dir); /* opened for reading only */
		dir = next;
		if (*p)
			part->parents_made = made ? part->parents_made + 1 : 0;
	}
	if (!made) {
		int r = check_empty(cg, part, dir, err);

		if (r < 0)
			return r;
	}
	if (fstat(dir, &st) < 0)
		return err_sys(err, "stat cgroup '%s%s'", part->mountpoint, cg->path);
	part->inode = st.st_ino;
	return 0;
}

int cgroup_create(struct cgroup *cg, struct error *err)
{
	for (size_t i = 0; i < cg->n; i++) {
		int tries = 0;
		int r;

		do { /* the end of another container may take an empty parent away */
			r = make_part(cg, &cg->parts[i], err);
		} while (r == -ENOENT && ++tries < 10);
		if (r < 0) {
			(void)cgroup_remove(cg, NULL); /* the first failure is what counts */
			return r;
		}
	}
	return 0;
}

int cgroup_join(const struct cgroup *cg, pid_t host_pid, struct error *err)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d", host_pid);
	for (size_t i = 0; i < cg->n; i++) {
		cleanup_fd int dir = cgroup_open_own(cg, &cg->parts[i], err);
		int r = dir;

		if (r >= 0)
			r = file_poke_at(dir, "cgroup.procs", text, err);
		if (r < 0)
			return err_wrap(err, r, "put process %d into cgroup '%s%s'", host_pid,
					cg->parts[i].mountpoint, cg->path);
	}
	return 0;
}

/* --- the gate --------------------------------------------------------------- */

/* Our own path in any hierarchy counts: there's no good reason for a container's to be like it. */
static int refuse_own_group(const struct cgroup *cg, const struct cgroup_part *part,
			    struct error *err)
{
	cleanup_free char *text = NULL;
	char *rest;
	char *line;
	int r;

	r = file_read_at(AT_FDCWD, "/proc/self/cgroup", OWN_TEXT_MAX, &text, NULL, err);
	if (r < 0)
		return r;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const char *own = strchr(line, '/');

		if (own && cgroup_path_covers(cg->path, own))
			return err_set(err, -EPERM,
				       "cgroup '%s%s' is our own or above it: not touched",
				       part->mountpoint, cg->path);
	}
	return 0;
}

int cgroup_open_own(const struct cgroup *cg, const struct cgroup_part *part, struct error *err)
{
	cleanup_fd int dir = -EBADF;
	char path[PATH_MAX];
	struct statfs fs;
	struct stat st;
	int r;

	if (!cg->path || cg->path[0] != '/' || cg->path[1] == '\0' || strstr(cg->path, "/.."))
		return err_set(err, -EPERM, "cgroup '%s' can't be a container's: not touched",
			       cg->path ? cg->path : "");
	if (part->inode == 0)
		return err_set(err, -ENOENT, "cgroup '%s%s' was not made", part->mountpoint,
			       cg->path);
	r = refuse_own_group(cg, part, err);
	if (r < 0)
		return r;
	r = snprintf(path, sizeof(path), "%s%s", part->mountpoint, cg->path);
	if (r < 0 || (size_t)r >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "cgroup '%s': name too long", cg->path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open cgroup '%s'", path);
	if (fstatfs(dir, &fs) < 0 || fstat(dir, &st) < 0)
		return err_sys(err, "stat cgroup '%s'", path);
	if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
		return err_set(err, -EPERM, "'%s' is not a cgroup: not touched", path);
	if (st.st_ino != part->inode)
		return err_set(
			err, -EPERM,
			"cgroup '%s' is not the one that was made for the container: not touched",
			path);
	return take_fd(&dir);
}

/* --- removing --------------------------------------------------------------- */

/* rmdir(2) of a group takes only empty ones: nothing else can be hit by it. */
static int remove_below(int parent, const char *name)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd); /* opened for reading only */
		return -ENOMEM;
	}
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			(void)remove_below(fd, entry->d_name); /* told by the rmdir below */
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int remove_waiting(const struct cgroup_part *part, const char *path)
{
	cleanup_fd int mount = open(part->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = -EBUSY;

	if (mount < 0)
		return -errno;
	for (int i = 0; r == -EBUSY && i < REMOVE_TRIES; i++) {
		const struct timespec pause = { .tv_nsec = 2000000 };

		if (i > 0)
			(void)nanosleep(&pause, NULL); /* a signal makes it shorter */
		r = remove_below(mount, path + 1);
	}
	return r;
}

/* Folders above that were made for this container go too, unless others use them by now. */
static void remove_parents(const struct cgroup *cg, const struct cgroup_part *part)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s", part->mountpoint, cg->path);

	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	for (unsigned int i = 0; i < part->parents_made; i++) {
		*strrchr(path, '/') = '\0';
		if (rmdir(path) < 0)
			return;
	}
}

int cgroup_remove(const struct cgroup *cg, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_part *part = &cg->parts[i];
		cleanup_fd int dir = -EBADF;
		int r;

		/* Planned, but a crash left the number unwritten: empty ones only, as always. */
		dir = part->inode ? cgroup_open_own(cg, part, NULL) : -EBADF;
		if (part->inode && dir < 0) {
			if (dir != -ENOENT)
				log_warn("cgroup '%s%s' is left alone: it is not the container's",
					 part->mountpoint, cg->path);
			continue;
		}
		r = remove_waiting(part, cg->path);
		if (r < 0 && result == 0)
			result = err_set(err, r, "remove cgroup '%s%s': %s", part->mountpoint,
					 cg->path, strerror(-r));
		if (r >= 0)
			remove_parents(cg, part);
	}
	return result;
}

/* --- remembered ------------------------------------------------------------- */

int cgroup_to_json(const struct cgroup *cg, json_t **ret, struct error *err)
{
	cleanup_json json_t *parts = json_array();

	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_part *part = &cg->parts[i];

		if (json_array_append_new(
			    parts, json_pack("{s:b, s:s, s:s, s:I, s:i}", "v2", part->v2,
					     "controllers", part->controllers, "mountpoint",
					     part->mountpoint, "inode", (json_int_t)part->inode,
					     "parents_made", (int)part->parents_made)) < 0)
			return err_oom(err);
	}
	*ret = json_pack("{s:s, s:O}", "path", cg->path, "parts", parts);
	return *ret ? 0 : err_oom(err);
}

static int part_from_json(const json_t *json, struct arena *arena, struct cgroup_part *ret,
			  struct error *err)
{
	const char *controllers = "";
	const char *mountpoint = "";
	uint64_t parents = 0;
	int r;

	r = json_field_bool(json, "cgroup", "v2", &ret->v2, err);
	if (r >= 0)
		r = json_field_string(json, "cgroup", "controllers", &controllers, err);
	if (r >= 0)
		r = json_field_string(json, "cgroup", "mountpoint", &mountpoint, err);
	if (r >= 0)
		r = json_field_uint(json, "cgroup", "inode", &ret->inode, err);
	if (r >= 0)
		r = json_field_uint(json, "cgroup", "parents_made", &parents, err);
	if (r < 0)
		return r;
	ret->parents_made = parents > 64 ? 64 : (unsigned int)parents;
	ret->controllers = arena_strdup(arena, controllers);
	ret->mountpoint = arena_strdup(arena, mountpoint);
	return arena_ok(arena) ? 0 : err_oom(err);
}

int cgroup_from_json(const json_t *json, struct cgroup *ret, struct error *err)
{
	cleanup_cgroup struct cgroup cg = CGROUP_INIT;
	json_t *parts = NULL;
	const char *path = "";
	int r;

	r = json_field_string(json, "cgroup", "path", &path, err);
	if (r >= 0)
		r = json_field_array(json, "cgroup", "parts", &parts, err);
	if (r < 0)
		return r;
	cg.path = arena_strdup(&cg.arena, path);
	cg.parts = arena_new_array(&cg.arena, struct cgroup_part, json_array_size(parts) + 1);
	if (!cg.path || !cg.parts)
		return err_oom(err);
	for (size_t i = 0; i < json_array_size(parts); i++) {
		r = part_from_json(json_array_get(parts, i), &cg.arena, &cg.parts[i], err);
		if (r < 0)
			return r;
		cg.n++;
	}
	*ret = cg;
	cg = (struct cgroup)CGROUP_INIT;
	return 0;
}

void cgroup_forget(struct cgroup *cg)
{
	arena_done(&cg->arena);
	*cg = (struct cgroup)CGROUP_INIT;
}
