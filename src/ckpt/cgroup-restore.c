/*
 * cgroup-restore: R is put into the groups that the root task was in.
 *
 * Before R makes any child, so that all are born there. A hierarchy in which
 * the caller has moved R already (its `created` hook) is left to the caller.
 * What is made here is removed again if the restore fails; nothing is ever
 * frozen or killed by way of a group.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strv.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/cgroup.pb-c.h"

#define PATH_LIMIT 4096

static uint32_t set_of(const struct rtask *t)
{
	const ThreadCoreEntry *thread = t->core->thread_core;

	return thread->has_cg_set	 ? thread->cg_set
	       : t->core->tc->has_cg_set ? t->core->tc->cg_set
					 : 0;
}

static const CgSetEntry *find_set(const CgroupEntry *c, uint32_t id)
{
	for (size_t i = 0; i < c->n_sets; i++)
		if (c->sets[i]->id == id)
			return c->sets[i];
	return NULL;
}

static const struct cgroup_hierarchy *find_hierarchy(const struct cgroupfs *fs, const char *name)
{
	if (*name) {
		char first[64];

		snprintf(first, sizeof(first), "%.*s", (int)strcspn(name, ","), name);
		return cgroupfs_find(fs, first);
	}
	for (size_t i = 0; i < fs->n; i++)
		if (fs->hierarchies[i].v2)
			return &fs->hierarchies[i];
	return NULL;
}

/* The group in a line "N:NAME:PATH" of /proc/PID/cgroup; its length in *ret_len. */
static const char *group_in(const char *text, const char *controllers, size_t *ret_len)
{
	while (*text) {
		const char *end = strchrnul(text, '\n');
		const char *name = strchr(text, ':');
		const char *path = name ? strchr(name + 1, ':') : NULL;

		if (path && path < end && (size_t)(path - name - 1) == strlen(controllers) &&
		    strncmp(name + 1, controllers, strlen(controllers)) == 0) {
			*ret_len = (size_t)(end - path - 1);
			return path + 1;
		}
		text = *end ? end + 1 : end;
	}
	return NULL;
}

static bool moved_by_caller(const struct cgroup_hierarchy *h, const char *text)
{
	size_t len = 0;
	const char *now = group_in(text, h->controllers, &len);

	return !now || strlen(h->own) != len || strncmp(now, h->own, len) != 0;
}

/* ---------------------------------------------------------------- properties */

/* What only says how things stood, or would act on tasks. */
static bool is_no_setting(const char *name)
{
	static const char *const names[] = { "cgroup.procs",   "tasks",
					     "cgroup.threads", "freezer.state",
					     "cgroup.freeze",  "cgroup.kill",
					     "cgroup.type",    "cgroup.subtree_control" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return strchr(name, '/') != NULL;
}

static void set_properties(const CgroupDirEntry *dir, const char *group)
{
	cleanup_fd int fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < dir->n_properties; i++) {
		const CgroupPropEntry *p = dir->properties[i];
		struct error err = ERROR_INIT;

		if (is_no_setting(p->name) || !*p->value)
			continue;
		if (file_poke_at(fd, p->name, p->value, &err) < 0)
			log_debug("group '%s' keeps its own %s: %s", group, p->name, err.text);
	}
}

/* A new group of the v1 cpuset controller takes no tasks before it has processors and memory. */
static void fill_cpuset(const char *group)
{
	static const char *const names[] = { "cpuset.cpus", "cpuset.mems" };
	cleanup_fd int fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++) {
		cleanup_free char *text = NULL;
		char above[32];
		size_t len = 0;

		snprintf(above, sizeof(above), "../%s", names[i]);
		if (file_read_at(fd, above, 65536, &text, &len, NULL) >= 0)
			(void)file_poke_at(fd, names[i], text, NULL); /* joining tells */
	}
}

/* The record of the group `path` (without a slash in front) in a list of folders. */
static const CgroupDirEntry *find_dir(CgroupDirEntry *const *dirs, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(dirs[i]->dir_name);

		if (strncmp(dirs[i]->dir_name, path, len) != 0)
			continue;
		if (!path[len])
			return dirs[i];
		if (path[len] == '/')
			return find_dir(dirs[i]->children, dirs[i]->n_children, path + len + 1);
	}
	return NULL;
}

static const CgroupDirEntry *find_record(const CgroupEntry *c, const char *name, const char *path)
{
	for (size_t i = 0; i < c->n_controllers; i++) {
		const CgControllerEntry *k = c->controllers[i];

		for (size_t j = 0; j < k->n_cnames; j++)
			if (strcmp(k->cnames[j], name) == 0)
				return find_dir(k->dirs, k->n_dirs, path + 1);
	}
	return NULL;
}

/* -------------------------------------------------------------------- making */

/* Each folder of the path below the mount point; those made are remembered. */
static int make_group(struct restore *r, const CgroupEntry *c, const char *name,
		      const struct cgroup_hierarchy *h, const char *path, struct error *err)
{
	size_t base = strlen(h->mountpoint);
	char full[PATH_LIMIT];
	int n = snprintf(full, sizeof(full), "%s%s", h->mountpoint, path);

	if (n < 0 || (size_t)n >= sizeof(full) || strstr(path, "/../") || strstr(path, "//"))
		return err_set(err, -EBADMSG, "cgroup.img: bad path '%s'", path);
	for (char *p = full + base + 1;; p++) {
		const CgroupDirEntry *record = NULL;
		char end = *p;
		bool made;

		if (end && end != '/')
			continue;
		*p = 0;
		made = mkdir(full, 0755) == 0;
		if (!made && errno != EEXIST)
			return err_sys(err, "make group '%s'", full);
		if (made)
			strv_add(&r->made_groups, full);
		if (made && !h->v2 && cgroup_controllers_have(h->controllers, "cpuset"))
			fill_cpuset(full);
		record = find_record(c, name, full + base);
		if (record && (made || r->opts->cgroups >= CRYO_CGROUPS_FULL))
			set_properties(record, full);
		if (!end)
			return strv_ok(&r->made_groups) ? 0 : err_oom(err);
		*p = end;
	}
}

static int join_group(const struct restore *r, const char *group, struct error *err)
{
	cleanup_fd int fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[16];
	int ret;

	if (fd < 0)
		return err_sys(err, "open group '%s'", group);
	snprintf(text, sizeof(text), "%d", r->host_pid);
	ret = file_poke_at(fd, "cgroup.procs", text, err);
	return ret < 0 ? err_wrap(err, ret, "join group '%s'", group) : 0;
}

static int place(struct restore *r, const CgroupEntry *c, const struct cgroupfs *fs,
		 const CgMemberEntry *m, const char *text, struct error *err)
{
	const struct cgroup_hierarchy *h = find_hierarchy(fs, m->name);
	char full[PATH_LIMIT];
	int ret = 0;

	if (m->path[0] != '/')
		return err_set(err, -EBADMSG, "cgroup.img: bad path '%s'", m->path);
	if (!h) {
		if (strcmp(m->path, "/") != 0)
			log_warn("hierarchy '%s' is not here: the tree is in no group of it",
				 m->name);
		return 0;
	}
	if (strcmp(h->own, m->path) == 0 || moved_by_caller(h, text))
		return 0;
	snprintf(full, sizeof(full), "%s%s", h->mountpoint, m->path);
	if (r->opts->cgroups == CRYO_CGROUPS_STRICT && access(full, F_OK) == 0)
		return err_set(err, -EEXIST, "group '%s' is there already", full);
	if (r->opts->cgroups >= CRYO_CGROUPS_SOFT)
		ret = make_group(r, c, m->name, h, m->path, err);
	else if (access(full, F_OK) < 0)
		return 0; /* joined where it exists */
	if (ret >= 0 && r->opts->cgroups == CRYO_CGROUPS_PROPS) {
		const CgroupDirEntry *record = find_record(c, m->name, m->path);

		if (record)
			set_properties(record, full);
	}
	return ret < 0 ? ret : join_group(r, full, err);
}

int cgroup_place(struct restore *r, struct error *err)
{
	cleanup_cgroupfs struct cgroupfs fs = CGROUPFS_INIT;
	cleanup_free char *text = NULL;
	const CgSetEntry *set = NULL;
	CgroupEntry *c = NULL;
	size_t len = 0;
	char path[32];
	int ret;

	if (r->opts->cgroups == CRYO_CGROUPS_IGNORE || !set_of(r->root) ||
	    (r->inventory->has_root_cg_set && set_of(r->root) == r->inventory->root_cg_set))
		return 0; /* it was where its dumper was */
	ret = image_read_one(r->opts->images_dir, IMG_KIND_CGROUP, 0, &r->arena, &c, err);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret; /* dumped without */
	set = find_set(c, set_of(r->root));
	if (!set)
		return err_set(err, -EBADMSG, "cgroup.img: no set %u", set_of(r->root));
	ret = cgroupfs_load(&fs, err);
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", r->host_pid);
	ret = file_read_at(AT_FDCWD, path, 1 << 20, &text, &len, err);
	for (size_t i = 0; ret >= 0 && i < set->n_ctls; i++)
		ret = place(r, c, &fs, set->ctls[i], text, err);
	if (ret < 0)
		return err_wrap(err, ret, "cgroups");
	for (size_t i = 0; i < r->n_image_tasks; i++)
		if (rtask_lives(r->tasks[i]) && set_of(r->tasks[i]) != set_of(r->root))
			log_warn("task %u (%s) was in groups of its own; it is in those of task %u "
				 "now",
				 r->tasks[i]->pid, rtask_comm(r->tasks[i]), r->root->pid);
	return 0;
}

/* The processes in them are gone. */
void cgroup_undo(struct restore *r)
{
	for (size_t i = r->made_groups.n; i-- > 0;)
		if (rmdir(r->made_groups.items[i]) < 0)
			log_warn("group '%s' of the failed restore is left",
				 r->made_groups.items[i]);
}
