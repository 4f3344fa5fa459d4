#include "ckpt/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "ckpt/dump-priv.h"
#include "img/pb/cgroup.pb-c.h"

#define CGROUP_TEXT_MAX ((size_t)1 << 20)
#define SETS_MAX 4096

struct cgroup_set {
	const char *text; /* of /proc/PID/cgroup: equal text, equal set */
	CgSetEntry *entry;
};

/* A group that was read before the freeze: nobody in it can change it. */
struct cgroup_ahead {
	struct cgroup_ahead *next;
	const struct cgroup_hierarchy *hierarchy;
	const char *path;
	CgroupDirEntry *dir;
};

struct dump_cgroups {
	struct cgroup_set sets[SETS_MAX]; /* [0] is our own; number = index + 1 */
	size_t n;
	struct cgroupfs mounted;
	struct cgroup_ahead *ahead;
	bool by_thread; /* some thread is not where its process is */
};

/*
 * "ID:CONTROLLERS:PATH" a line. The numbers are left out of the comparison and
 * of the images: they are the kernel's own.
 */
int cgroup_set_parse(const char *text, struct arena *arena, CgSetEntry **ret, struct error *err)
{
	CgSetEntry *set = arena_new(arena, CgSetEntry);
	size_t lines = 0;

	if (!set)
		return err_oom(err);
	cg_set_entry__init(set);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	set->ctls = arena_new_array(arena, CgMemberEntry *, lines + 1);
	if (!set->ctls)
		return err_oom(err);
	for (const char *p = text; *p;) {
		const char *end = strchrnul(p, '\n');
		const char *names = memchr(p, ':', (size_t)(end - p));
		const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
		CgMemberEntry *member = arena_new(arena, CgMemberEntry);

		if (!path || path[1] != '/')
			return err_set(err, -EBADMSG, "'cgroup': '%.*s'", (int)(end - p), p);
		if (!member)
			return err_oom(err);
		cg_member_entry__init(member);
		member->name = arena_strndup(arena, names + 1, (size_t)(path - names - 1));
		member->path = arena_strndup(arena, path + 1, (size_t)(end - path - 1));
		if (!member->name || !member->path)
			return err_oom(err);
		set->ctls[set->n_ctls++] = member;
		p = *end ? end + 1 : end;
	}
	*ret = set;
	return 0;
}

static int read_text(int dir, const char *name, struct arena *arena, const char **ret,
		     struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	int r;

	r = file_read_record_at(dir, name, CGROUP_TEXT_MAX, &text, &len, err);
	if (r < 0)
		return r;
	*ret = arena_strdup(arena, text);
	return *ret ? 0 : err_oom(err);
}

static int set_number(struct dump *dump, const char *text, uint32_t *ret, struct error *err)
{
	struct dump_cgroups *all = dump->cgroups;
	size_t i = 0;
	int r;

	while (i < all->n && strcmp(all->sets[i].text, text))
		i++;
	if (i == SETS_MAX)
		return err_set(err, -EOPNOTSUPP, "more than %d different sets of cgroups",
			       SETS_MAX);
	if (i == all->n) {
		r = cgroup_set_parse(text, &dump->arena, &all->sets[i].entry, err);
		if (r < 0)
			return r;
		all->sets[i].text = text;
		all->sets[i].entry->id = (uint32_t)i + 1;
		all->n++;
	}
	*ret = (uint32_t)i + 1;
	return 0;
}

static const struct cgroup_hierarchy *hierarchy_of(const struct cgroupfs *mounted,
						   const char *names)
{
	for (size_t i = 0; i < mounted->n; i++) {
		if (!strcmp(mounted->hierarchies[i].controllers, names))
			return &mounted->hierarchies[i];
	}
	return NULL;
}

/* The groups of the root task, which as a rule are those of all. */
static int read_ahead(struct dump *dump, struct error *err)
{
	const char *text;
	CgSetEntry *set;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", dump->opts->pid); /* always fits */
	r = read_text(AT_FDCWD, path, &dump->arena, &text, err);
	if (r == 0)
		r = cgroup_set_parse(text, &dump->arena, &set, err);
	for (size_t i = 0; r == 0 && i < set->n_ctls; i++) {
		const CgMemberEntry *ctl = set->ctls[i];
		const struct cgroup_hierarchy *hierarchy =
			hierarchy_of(&dump->cgroups->mounted, ctl->name);
		struct cgroup_ahead *ahead = arena_new(&dump->arena, struct cgroup_ahead);

		if (!ahead)
			return err_oom(err);
		if (!hierarchy || cgroup_path_covers(ctl->path, hierarchy->own))
			continue;
		*ahead = (struct cgroup_ahead){ .next = dump->cgroups->ahead,
						.hierarchy = hierarchy,
						.path = ctl->path };
		r = cgroup_dir_read(dump, hierarchy, ctl->path, &ahead->dir, err);
		if (r > 0)
			dump->cgroups->ahead = ahead;
		r = r < 0 ? r : 0;
	}
	return r;
}

/* Each thread's groups cost a file: too much for the freeze, if all are where their process is. */
static int look_at_threads(struct dump *dump, pid_t host_pid, struct error *err)
{
	cleanup_free pid_t *tids = NULL;
	cleanup_free pid_t *children = NULL;
	const char *first = NULL;
	size_t n = 0;
	int r = proc_threads_of(host_pid, &tids, &n, err);

	for (size_t i = 0; r == 0 && n > 1 && i < n; i++) {
		cleanup_free char *text = NULL;
		char path[64];
		size_t len;

		(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/cgroup", host_pid, tids[i]);
		if (file_read_at(AT_FDCWD, path, CGROUP_TEXT_MAX, &text, &len, NULL) < 0)
			continue; /* it has ended */
		if (!first)
			first = arena_strdup(&dump->arena, text);
		else
			dump->cgroups->by_thread |= strcmp(first, text) != 0;
	}
	n = 0;
	if (r == 0)
		r = proc_children_of(host_pid, &children, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = look_at_threads(dump, children[i], err);
	return r == -ESRCH || r == -ENOENT ? 0 : r;
}

int cgroup_prepare(struct dump *dump, struct error *err)
{
	const char *text;
	int r;

	dump->cgroups = arena_new(&dump->arena, struct dump_cgroups);
	if (!dump->cgroups)
		return err_oom(err);
	r = cgroupfs_load(&dump->cgroups->mounted, err);
	if (r == 0)
		r = read_text(AT_FDCWD, "/proc/self/cgroup", &dump->arena, &text, err);
	if (r == 0)
		r = set_number(dump, text, &dump->own_cg_set, err);
	if (r < 0 || dump->opts->cgroups == CRYO_CGROUPS_IGNORE)
		return r;
	r = look_at_threads(dump, dump->opts->pid, err);
	return r < 0 ? r : read_ahead(dump, err);
}

int cgroup_collect_thread(struct dump *dump, const struct dump_task *task, pid_t host_tid,
			  uint32_t *ret_set, struct error *err)
{
	const char *text;
	char name[48];
	int r;

	*ret_set = task->cg_set;
	if (!dump->cgroups->by_thread)
		return 0;
	(void)snprintf(name, sizeof(name), "task/%d/cgroup", host_tid); /* always fits */
	r = read_text(task->proc, name, &dump->arena, &text, err);
	return r < 0 ? err_wrap(err, r, "task %d", host_tid) : set_number(dump, text, ret_set, err);
}

int cgroup_collect(struct dump *dump, const struct dump_task *task, uint32_t *ret_set,
		   struct error *err)
{
	const char *text;
	int r;

	*ret_set = dump->own_cg_set;
	if (dump->opts->cgroups == CRYO_CGROUPS_IGNORE)
		return 0;
	r = read_text(task->proc, "cgroup", &dump->arena, &text, err);
	return r < 0 ? err_wrap(err, r, "task %d", task->host_pid)
		     : set_number(dump, text, ret_set, err);
}

/*
 * In a cgroup namespace of its own the tree sees shorter paths; what is cut off
 * in front has to be made before the namespace is. The namespace is entered
 * for a moment, to read the root task's groups as it does.
 */
static int set_prefixes(struct dump *dump, struct error *err)
{
	cleanup_fd int own = -EBADF;
	cleanup_fd int there = -EBADF;
	pid_t root = dump->tasks[0].host_pid;
	const char *inside;
	const char *outside;
	CgSetEntry *inner;
	CgSetEntry *outer;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/cgroup", root); /* always fits */
	own = open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || there < 0)
		return err_sys(err, "open '%s'", path);
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", root); /* always fits */
	r = read_text(AT_FDCWD, path, &dump->arena, &outside, err);
	if (r < 0)
		return r;
	if (setns(there, CLONE_NEWCGROUP) < 0)
		return err_sys(err, "enter the cgroup namespace of task %d", root);
	r = read_text(AT_FDCWD, path, &dump->arena, &inside, err);
	if (setns(own, CLONE_NEWCGROUP) < 0)
		return err_sys(err, "leave the cgroup namespace of task %d", root);
	if (r == 0)
		r = cgroup_set_parse(inside, &dump->arena, &inner, err);
	if (r == 0)
		r = cgroup_set_parse(outside, &dump->arena, &outer, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < outer->n_ctls && i < inner->n_ctls; i++) {
		size_t full = strlen(outer->ctls[i]->path);
		size_t seen = strlen(inner->ctls[i]->path);

		if (!strcmp(inner->ctls[i]->path, "/"))
			seen = 0;
		if (seen > full ||
		    strcmp(outer->ctls[i]->path + full - seen, seen ? inner->ctls[i]->path : ""))
			return err_set(err, -EOPNOTSUPP,
				       "cgroup '%s' of task %d is outside of its cgroup namespace",
				       outer->ctls[i]->path, root);
		for (size_t s = 1; s < dump->cgroups->n; s++) {
			CgSetEntry *set = dump->cgroups->sets[s].entry;

			if (i >= set->n_ctls || full == seen)
				continue;
			set->ctls[i]->has_cgns_prefix = true;
			set->ctls[i]->cgns_prefix = (uint32_t)(full - seen);
		}
	}
	return 0;
}

/* Is it recorded already, by itself or with one above it? */
static bool has_dir(const CgControllerEntry *controller, const char *path)
{
	for (size_t i = 0; i < controller->n_dirs; i++) {
		const char *dir = controller->dirs[i]->dir_name;
		size_t len = strlen(dir);

		if (!strncmp(path + 1, dir, len) && (path[len + 1] == '/' || !path[len + 1]))
			return true;
	}
	return false;
}

static int set_names(struct dump *dump, const char *names, CgControllerEntry *controller,
		     struct error *err)
{
	size_t n = 1;

	for (const char *p = names; *p; p++)
		n += *p == ',';
	controller->cnames = arena_new_array(&dump->arena, char *, n);
	if (!controller->cnames)
		return err_oom(err);
	for (const char *p = names; controller->n_cnames < n; controller->n_cnames++) {
		size_t len = strcspn(p, ",");

		controller->cnames[controller->n_cnames] = arena_strndup(&dump->arena, p, len);
		if (!controller->cnames[controller->n_cnames])
			return err_oom(err);
		p += len + (p[len] == ',');
	}
	return 0;
}

/* No other set names a group above it. */
static bool is_topmost(const struct dump *dump, size_t index, const char *path)
{
	for (size_t s = 1; s < dump->cgroups->n; s++) {
		const CgSetEntry *set = dump->cgroups->sets[s].entry;

		if (index < set->n_ctls && strcmp(set->ctls[index]->path, "/") != 0 &&
		    strcmp(set->ctls[index]->path, path) != 0 &&
		    cgroup_path_covers(set->ctls[index]->path, path))
			return false;
	}
	return true;
}

static int find_dir(struct dump *dump, const struct cgroup_hierarchy *hierarchy, const char *path,
		    CgroupDirEntry **ret, struct error *err)
{
	for (const struct cgroup_ahead *a = dump->cgroups->ahead; a; a = a->next) {
		if (a->hierarchy == hierarchy && !strcmp(a->path, path)) {
			*ret = a->dir;
			return 1;
		}
	}
	return cgroup_dir_read(dump, hierarchy, path, ret, err);
}

/* The groups of one hierarchy that sets name, and those below them. */
static int set_dirs(struct dump *dump, size_t index, const char *names,
		    CgControllerEntry *controller, struct error *err)
{
	const struct cgroup_hierarchy *hierarchy = hierarchy_of(&dump->cgroups->mounted, names);

	controller->dirs = arena_new_array(&dump->arena, CgroupDirEntry *, dump->cgroups->n);
	if (!controller->dirs)
		return err_oom(err);
	controller->has_is_threaded = hierarchy && !hierarchy->v2;
	controller->is_threaded = controller->has_is_threaded;
	if (!hierarchy)
		return 0; /* not mounted here: nothing can be said of its groups */
	for (size_t s = 1; s < dump->cgroups->n; s++) {
		const CgSetEntry *set = dump->cgroups->sets[s].entry;
		const char *path = index < set->n_ctls ? set->ctls[index]->path : "/";
		int r;

		/* What we are in ourselves is no group of the tree. */
		if (cgroup_path_covers(path, hierarchy->own) || has_dir(controller, path) ||
		    !is_topmost(dump, index, path))
			continue;
		r = find_dir(dump, hierarchy, path, &controller->dirs[controller->n_dirs], err);
		if (r < 0)
			return r;
		controller->n_dirs += (size_t)r;
	}
	return 0;
}

static int set_controllers(struct dump *dump, CgroupEntry *entry, struct error *err)
{
	const CgSetEntry *first = dump->cgroups->sets[1].entry;
	int r;

	entry->controllers = arena_new_array(&dump->arena, CgControllerEntry *, first->n_ctls);
	if (!entry->controllers)
		return err_oom(err);
	for (size_t i = 0; i < first->n_ctls; i++) {
		CgControllerEntry *controller = arena_new(&dump->arena, CgControllerEntry);

		if (!controller)
			return err_oom(err);
		cg_controller_entry__init(controller);
		r = set_names(dump, first->ctls[i]->name, controller, err);
		if (r == 0)
			r = set_dirs(dump, i, first->ctls[i]->name, controller, err);
		if (r < 0)
			return r;
		entry->controllers[entry->n_controllers++] = controller;
	}
	return 0;
}

int cgroup_write(struct dump *dump, struct error *err)
{
	CgroupEntry entry = CGROUP_ENTRY__INIT;
	struct dump_cgroups *all = dump->cgroups;
	int r;

	if (all->n < 2)
		return 0;
	if (dump->ns[DUMP_NS_CGROUP].other) {
		r = set_prefixes(dump, err);
		if (r < 0)
			return r;
	}
	entry.sets = arena_new_array(&dump->arena, CgSetEntry *, all->n);
	if (!entry.sets)
		return err_oom(err);
	for (size_t i = 1; i < all->n; i++)
		entry.sets[entry.n_sets++] = all->sets[i].entry;
	r = set_controllers(dump, &entry, err);
	return r < 0 ? r : dump_image_one(dump, IMG_KIND_CGROUP, 0, &entry.base, err);
}

void cgroup_done(struct dump *dump)
{
	if (dump->cgroups)
		cgroupfs_done(&dump->cgroups->mounted);
}
