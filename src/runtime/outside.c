#include "runtime/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mountinfo.h"
#include "base/path.h"
#include "base/scan.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"
#include "runtime/namespace.h"
#include "runtime/spec.h"
#include "runtime/streams.h"
#include "runtime/submounts.h"

#define DEVICES_MAX ((size_t)4 << 20) /* text of /proc/net/dev */

/* --- mounts, at the dump -------------------------------------------------------- */

struct view {
	int root; /* the container's */
	struct mountinfo_table mounts;
};

static int open_view(const struct container *c, struct view *view, struct error *err)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/root", c->init.pid);
	view->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (view->root < 0)
		return err_sys(err, "open '%s'", path);
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", c->init.pid);
	return mountinfo_read_at(AT_FDCWD, path, &view->mounts, err);
}

static void cleanup_view_p(struct view *view)
{
	if (view->root >= 0)
		(void)close(view->root); /* a place only */
	mountinfo_table_done(&view->mounts);
}

/*
 * The mount that config.json calls `destination`: by its id, since the path
 * may lead over symlinks. NULL: none, or not a mount of its own.
 */
static const struct mountinfo *find_mount(const struct view *view, const char *destination)
{
	cleanup_fd int fd = path_open_in_root(view->root, destination, O_PATH, 0, NULL);
	struct statx stx;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 ||
	    !(stx.stx_mask & STATX_MNT_ID) || !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return NULL;
	return mountinfo_by_id(&view->mounts, (int)stx.stx_mnt_id);
}

static int add_dump_mount(struct outside *o, const struct view *view, const struct spec_mount *m,
			  struct error *err)
{
	const struct mountinfo *mount = find_mount(view, m->destination);

	if (!mount)
		return 0;
	strv_addf(&o->externals, "mnt[%s]:%s", mount->mountpoint, m->destination);
	return m->options.recursive_bind
		       ? submounts_for_dump(m, mount, &view->mounts, &o->externals, err)
		       : 0;
}

static bool is_device_path(const struct spec_linux *lx, const char *path)
{
	static const char *const usual[] = { "/dev/null",   "/dev/zero",    "/dev/full",
					     "/dev/random", "/dev/urandom", "/dev/tty" };

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (strcmp(path, usual[i]) == 0)
			return true;
	for (size_t i = 0; i < lx->n_devices; i++)
		if (strcmp(path, lx->devices[i].path) == 0)
			return true;
	return false;
}

/* Nodes are bound from the host where they can't be made; cgroups where there's no namespace. */
static void add_dump_host_mounts(struct outside *o, const struct spec *spec,
				 const struct view *view)
{
	for (size_t i = 0; i < view->mounts.n; i++) {
		const struct mountinfo *m = &view->mounts.mounts[i];
		const bool cgroup =
			!spec_wants_ns(spec, NS_KIND_CGROUP) &&
			(strcmp(m->fstype, "cgroup") == 0 || strcmp(m->fstype, "cgroup2") == 0);

		if (cgroup || is_device_path(&spec->lx, m->mountpoint))
			strv_addf(&o->externals, "mnt[%s]:%s", m->mountpoint, m->mountpoint);
	}
}

/* A mask over a folder is an empty tmpfs, over a file a bind of the container's null device: the
 * checkpoint can hold both. Only where that is the host's, it lies outside. */
static void add_dump_masks(struct outside *o, const struct spec_linux *lx, const struct view *view)
{
	for (char **p = lx->masked_paths; p && *p; p++) {
		const struct mountinfo *mount = find_mount(view, *p);

		if (mount && strcmp(mount->fstype, "devtmpfs") == 0)
			strv_addf(&o->externals, "mnt[%s]:%s", mount->mountpoint, *p);
	}
}

static int add_dump_ns(struct outside *o, const struct spec *spec, const struct container *c,
		       enum ns_kind kind, const char *key, struct error *err)
{
	char path[64];
	struct stat st;

	if (!spec->lx.namespaces[kind].path)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", c->init.pid, ns_file(kind));
	if (stat(path, &st) < 0)
		return err_sys(err, "stat '%s'", path);
	strv_addf(&o->externals, "%s[%" PRIu64 "]:%s", ns_file(kind), (uint64_t)st.st_ino, key);
	return 0;
}

/*
 * A network namespace that was made for the container: with nothing but its
 * loopback device it is saved. Other devices somebody has put there from
 * outside, and will again, as runc has it.
 */
static int leave_network(const struct container *c, bool *ret_leave, struct error *err)
{
	cleanup_free char *text = NULL;
	char path[64];
	size_t len;
	int r;

	*ret_leave = false;
	(void)snprintf(path, sizeof(path), "/proc/%d/net/dev", c->init.pid);
	r = file_read_at(AT_FDCWD, path, DEVICES_MAX, &text, &len, err);
	if (r < 0)
		return r;
	/* Two headlines, then a line a device: "    lo:  ..." */
	for (const char *p = scan_next_line(scan_next_line(text)); *p; p = scan_next_line(p)) {
		scan_blanks(&p);
		*ret_leave = *ret_leave || strncmp(p, "lo:", 3) != 0;
	}
	return 0;
}

int outside_for_dump(const struct spec *spec, const struct container *c, struct outside *ret,
		     struct error *err)
{
	__attribute__((cleanup(cleanup_view_p))) struct view view = {
		.root = -EBADF, .mounts = MOUNTINFO_TABLE_INIT
	};
	bool leave = false;
	int r;

	r = open_view(c, &view, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < spec->n_mounts && r >= 0; i++)
		if (spec->mounts[i].options.bind)
			r = add_dump_mount(ret, &view, &spec->mounts[i], err);
	if (r < 0)
		return r;
	add_dump_masks(ret, &spec->lx, &view);
	add_dump_host_mounts(ret, spec, &view);
	r = add_dump_ns(ret, spec, c, NS_KIND_NET, "extRootNetNS", err);
	if (r >= 0)
		r = add_dump_ns(ret, spec, c, NS_KIND_PID, "extRootPidNS", err);
	if (r >= 0 && spec_new_ns(spec, NS_KIND_NET))
		r = leave_network(c, &leave, err);
	if (r < 0)
		return r;
	if (leave)
		strv_add(&ret->empty_ns, "net");
	return strv_ok(&ret->externals) && strv_ok(&ret->empty_ns) ? 0 : err_oom(err);
}

/* --- mounts, at the restore ------------------------------------------------------ */

static void add_restore_cgroups(struct outside *o, const struct spec_mount *m,
				const struct cgroup *cgroup)
{
	const bool unified = cgroup->n == 1 && cgroup->parts[0].v2;

	for (size_t i = 0; i < cgroup->n; i++) {
		const struct cgroup_part *part = &cgroup->parts[i];

		if (unified)
			strv_addf(&o->externals, "mnt[%s]:%s%s", m->destination, part->mountpoint,
				  cgroup->path);
		else if (!part->v2)
			strv_addf(&o->externals, "mnt[%s%s]:%s%s", m->destination,
				  strrchr(part->mountpoint, '/'), part->mountpoint, cgroup->path);
	}
}

static int open_ns(struct outside *o, const char *path, struct error *err)
{
	int fd;

	if (o->n_fds == OUTSIDE_FDS_MAX)
		return err_set(err, -E2BIG, "too many namespaces by path");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open namespace '%s'", path);
	o->fds[o->n_fds++] = fd;
	return fd;
}

static void inherit(struct outside *o, int fd, const char *key)
{
	if (o->n_inherit == OUTSIDE_FDS_MAX)
		return; /* 3 descriptors and 2 namespaces fit */
	strv_add(&o->keys, key);
	if (strv_ok(&o->keys))
		o->inherit[o->n_inherit++] =
			(struct cryo_inherit_fd){ .fd = fd, .key = o->keys.items[o->keys.n - 1] };
}

static int add_restore_namespaces(struct outside *o, const struct spec *spec, struct error *err)
{
	static const struct {
		enum ns_kind kind;
		const char *key; /* handed over by this name; NULL: joined */
	} kinds[] = {
		{ NS_KIND_NET, "extRootNetNS" }, { NS_KIND_PID, "extRootPidNS" },
		{ NS_KIND_IPC, NULL },		 { NS_KIND_UTS, NULL },
		{ NS_KIND_TIME, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *path = spec->lx.namespaces[kinds[i].kind].path;
		int fd;

		if (!path)
			continue;
		fd = open_ns(o, path, err);
		if (fd < 0)
			return fd;
		if (kinds[i].key)
			inherit(o, fd, kinds[i].key);
		else
			o->join[o->n_join++] =
				(struct cryo_join_ns){ .type = ns_file(kinds[i].kind), .fd = fd };
	}
	return 0;
}

static int add_restore_bind(struct outside *o, const struct spec_mount *m, const char *bundle,
			    struct error *err)
{
	const bool absolute = m->source[0] == '/';
	cleanup_free char *source = NULL;

	if (asprintf(&source, "%s%s%s", absolute ? "" : bundle, absolute ? "" : "/", m->source) <
	    0) {
		source = NULL;
		return err_oom(err);
	}
	strv_addf(&o->externals, "mnt[%s]:%s", m->destination, source);
	return m->options.recursive_bind ? submounts_for_restore(m, source, &o->externals, err) : 0;
}

int outside_for_restore(const struct spec *spec, const char *bundle, const struct cgroup *cgroup,
			struct outside *ret, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (m->options.bind)
			r = add_restore_bind(ret, m, bundle, err);
		else if (strncmp(m->type, "cgroup", 6) == 0)
			add_restore_cgroups(ret, m, cgroup);
		if (r < 0)
			return r;
	}
	for (char **p = spec->lx.masked_paths; p && *p; p++)
		strv_addf(&ret->externals, "mnt[%s]:/dev/null", *p);
	for (size_t i = 0; i < spec->lx.n_devices; i++)
		strv_addf(&ret->externals, "mnt[%s]:%s", spec->lx.devices[i].path,
			  spec->lx.devices[i].path);
	for (const char *const *p = (const char *const[]){ "null", "zero", "full", "random",
							   "urandom", "tty", NULL };
	     *p; p++)
		strv_addf(&ret->externals, "mnt[/dev/%s]:/dev/%s", *p, *p);
	r = add_restore_namespaces(ret, spec, err);
	if (r < 0)
		return r;
	return strv_ok(&ret->externals) && strv_ok(&ret->empty_ns) && strv_ok(&ret->keys)
		       ? 0
		       : err_oom(err);
}

/* --- standard input and output ----------------------------------------------------- */

int outside_load_streams(const struct container *c, int images, struct outside *outside,
			 struct error *err)
{
	cleanup_json json_t *list = NULL;
	bool own[STREAMS_N] = { false };
	int r = streams_load(images, &list, err);

	for (int fd = 0; fd < STREAMS_N && r == 0; fd++) {
		const char *key = json_string_value(json_array_get(list, (size_t)fd));

		own[fd] = strncmp(key, "pipe:", 5) == 0 && fcntl(fd, F_GETFD) >= 0;
		if (own[fd])
			inherit(outside, fd, key);
	}
	if (r == 0 && !strv_ok(&outside->keys))
		r = err_oom(err);
	return r < 0 ? r : streams_note_restored(c, list, own, err);
}

void outside_done(struct outside *outside)
{
	for (size_t i = 0; i < outside->n_fds; i++)
		(void)close(outside->fds[i]); /* opened for reading only */
	strv_done(&outside->externals);
	strv_done(&outside->empty_ns);
	strv_done(&outside->keys);
	*outside = (struct outside)OUTSIDE_INIT;
}
