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
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strv.h"
#include "ckpt/cgroup-restore-priv.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#define PATH_LIMIT 4096

uint32_t cgroup_set_of(const struct rthread *thread)
{
	const CoreEntry *core = thread->core;

	return core->thread_core->has_cg_set	  ? core->thread_core->cg_set
	       : core->tc && core->tc->has_cg_set ? core->tc->cg_set
						  : 0;
}

const CgSetEntry *cgroup_find_set(const CgroupEntry *c, uint32_t id)
{
	for (size_t i = 0; i < c->n_sets; i++)
		if (c->sets[i]->id == id)
			return c->sets[i];
	return NULL;
}

const struct cgroup_hierarchy *cgroup_find_hierarchy(const struct cgroupfs *fs, const char *name)
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

/* -------------------------------------------------------------------- making */

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

/* A record's groups below its own, as folders of the one that `full` names. */
static void make_below(struct restore *r, const CgroupDirEntry *record, const char *full)
{
	for (size_t i = 0; i < record->n_children; i++) {
		const CgroupDirEntry *child = record->children[i];
		cleanup_free char *path = NULL;

		if (strchr(child->dir_name, '/') || child->dir_name[0] == '.' ||
		    asprintf(&path, "%s/%s", full, child->dir_name) < 0)
			continue;
		if (mkdir(path, 0755) == 0) {
			strv_add(&r->made_groups, path);
			cgroup_settings_write(child, path, true);
		} else if (errno != EEXIST) {
			log_warn("group '%s': %s", path, strerror(errno));
			continue;
		}
		make_below(r, child, path);
	}
}

/* Each folder of the path below the mount point; those made are remembered. */
static int make_group(struct restore *r, const char *name, const struct cgroup_hierarchy *h,
		      const char *path, const char *recorded, char *full, struct error *err)
{
	const CgroupDirEntry *record = find_record(r->cgroups->entry, name, recorded);
	size_t base = strlen(h->mountpoint);
	bool made = false;
	int n = snprintf(full, PATH_LIMIT, "%s%s", h->mountpoint, path);

	if (n < 0 || n >= PATH_LIMIT || strstr(path, "/../") || strstr(path, "//"))
		return err_set(err, -EBADMSG, "cgroup.img: bad path '%s'", path);
	for (char *p = full + base + 1;; p++) {
		const CgroupDirEntry *above = NULL;
		char end = *p;

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
		if (end && made && strcmp(path, recorded) == 0)
			above = find_record(r->cgroups->entry, name, full + base);
		if (above)
			cgroup_settings_write(above, full, true);
		if (!end)
			break;
		*p = end;
	}
	if (record && (made || r->opts->cgroups >= CRYO_CGROUPS_FULL))
		cgroup_settings_write(record, full, made);
	if (record)
		make_below(r, record, full);
	return strv_ok(&r->made_groups) ? 0 : err_oom(err);
}

int cgroup_enter(const char *group, const char *file, pid_t host_id, struct error *err)
{
	cleanup_fd int fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[16];
	int ret;

	if (fd < 0)
		return err_sys(err, "open group '%s'", group);
	snprintf(text, sizeof(text), "%d", host_id);
	ret = file_poke_at(fd, file, text, err);
	return ret < 0 ? err_wrap(err, ret, "join group '%s'", group) : 0;
}

/* Where it is now: below the group that the root task has now, if it was below the one it had. */
static char *translate(const struct restore *r, const struct cgroup_hierarchy *h,
		       const CgMemberEntry *m)
{
	const CgSetEntry *root =
		cgroup_find_set(r->cgroups->entry, cgroup_set_of(&r->root->threads[0]));
	const char *now;
	char *path = NULL;
	size_t len = 0;

	for (size_t i = 0; r->cgroups->root_text && root && i < root->n_ctls; i++) {
		const char *was = root->ctls[i]->path;

		if (strcmp(root->ctls[i]->name, m->name) != 0 || strcmp(was, "/") == 0 ||
		    !cgroup_path_covers(was, m->path))
			continue;
		now = group_in(r->cgroups->root_text, h->controllers, &len);
		if (!now || asprintf(&path, "%.*s%s", (int)len, now, m->path + strlen(was)) < 0)
			return NULL;
		return path;
	}
	return strdup(m->path);
}

int cgroup_group_make(struct restore *r, const struct cgroup_hierarchy *h, const CgMemberEntry *m,
		      char **ret_group, struct error *err)
{
	cleanup_free char *path = NULL;
	char full[PATH_LIMIT];
	int ret = 1;

	if (m->path[0] != '/')
		return err_set(err, -EBADMSG, "cgroup.img: bad path '%s'", m->path);
	path = translate(r, h, m);
	if (!path)
		return err_oom(err);
	snprintf(full, sizeof(full), "%s%s", h->mountpoint, path);
	if (r->opts->cgroups >= CRYO_CGROUPS_SOFT && strcmp(path, "/") != 0)
		ret = make_group(r, m->name, h, path, m->path, full, err);
	else if (access(full, F_OK) < 0)
		return 0; /* joined where it exists */
	if (ret < 0)
		return ret;
	if (r->opts->cgroups == CRYO_CGROUPS_PROPS) {
		const CgroupDirEntry *record = find_record(r->cgroups->entry, m->name, m->path);

		if (record)
			cgroup_settings_write(record, full, false);
	}
	*ret_group = strdup(full);
	return *ret_group ? 1 : err_oom(err);
}

/* ------------------------------------------------------------------- placing */

/* R begins in the root of the tree's cgroup namespace, if that is above its group. */
static bool begins_above(const struct restore *r, const CgMemberEntry *m)
{
	return r->new_cgroup_ns && m->has_cgns_prefix && m->cgns_prefix < strlen(m->path);
}

static int place(struct restore *r, const CgMemberEntry *m, const char *text, struct error *err)
{
	const struct cgroup_hierarchy *h = cgroup_find_hierarchy(&r->cgroups->fs, m->name);
	cleanup_free char *group = NULL;
	char full[PATH_LIMIT];
	int ret;

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
	ret = cgroup_group_make(r, h, m, &group, err);
	if (ret <= 0)
		return ret;
	if (begins_above(r, m)) {
		group[strlen(group) - (strlen(m->path) - m->cgns_prefix)] = '\0';
		r->cgroups->below = true;
	}
	return cgroup_enter(group, "cgroup.procs", r->host_pid, err);
}

int cgroup_place_below(struct restore *r, struct error *err)
{
	const CgSetEntry *set =
		cgroup_find_set(r->cgroups->entry, cgroup_set_of(&r->root->threads[0]));
	int ret = 0;

	for (size_t i = 0; r->cgroups->below && set && i < set->n_ctls && ret >= 0; i++) {
		const CgMemberEntry *m = set->ctls[i];
		const struct cgroup_hierarchy *h = cgroup_find_hierarchy(&r->cgroups->fs, m->name);
		char full[PATH_LIMIT];

		if (!h || !begins_above(r, m) || strcmp(h->own, m->path) == 0)
			continue;
		snprintf(full, sizeof(full), "%s%s", h->mountpoint, m->path);
		ret = cgroup_enter(full, "cgroup.procs", r->host_pid, err);
	}
	return ret;
}

/* A hierarchy that is mounted nowhere here is mounted where only we see it. */
static int add_hidden(struct restore *r, const CgMemberEntry *m, struct error *err)
{
	struct cgroupfs *fs = &r->cgroups->fs;
	bool named = strncmp(m->name, "name=", 5) == 0;
	cleanup_fd int context = -EBADF;
	struct cgroup_hierarchy *more;
	int fd;

	if (strcmp(m->path, "/") == 0 || cgroup_find_hierarchy(fs, m->name) || !*m->name)
		return 0;
	context = (int)syscall(SYS_fsopen, "cgroup", FSOPEN_CLOEXEC);
	if (context < 0)
		return 0;
	if (named) {
		(void)syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "none", NULL, 0);
		(void)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "name", m->name + 5, 0);
	}
	for (const char *p = m->name; !named && *p;) {
		char one[64];
		size_t len = strcspn(p, ",");

		snprintf(one, sizeof(one), "%.*s", (int)len, p);
		(void)syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, one, NULL, 0);
		p += len + (p[len] == ',');
	}
	if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return 0; /* such a kernel, or such a name, is told where it is looked for */
	fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	fd = fd_stage_consume(r, fd, err); /* open until the end */
	if (fd < 0)
		return fd;
	more = arena_new_array(&fs->arena, struct cgroup_hierarchy, fs->n + 1);
	if (!more)
		return err_oom(err);
	memcpy(more, fs->hierarchies, fs->n * sizeof(*more));
	more[fs->n] = (struct cgroup_hierarchy){
		.controllers = arena_strdup(&fs->arena, m->name),
		.mountpoint = arena_printf(&fs->arena, "/proc/self/fd/%d", fd),
		.own = "/",
	};
	if (!more[fs->n].controllers || !more[fs->n].mountpoint)
		return err_oom(err);
	fs->hierarchies = more;
	fs->n++;
	return 0;
}

int cgroup_restore_load(struct restore *r, struct error *err)
{
	struct rcgroups *g;
	bool outside = true;
	int ret;

	for (size_t i = 0; i < r->n_image_tasks; i++)
		for (size_t k = 0; k < r->tasks[i]->n_threads; k++) {
			uint32_t set = cgroup_set_of(&r->tasks[i]->threads[k]);

			outside &= !set || (r->inventory->has_root_cg_set &&
					    set == r->inventory->root_cg_set);
		}
	if (r->opts->cgroups == CRYO_CGROUPS_IGNORE || outside)
		return 0; /* all were where their dumper was */
	g = arena_new(&r->arena, struct rcgroups);
	if (!g)
		return err_oom(err);
	*g = (struct rcgroups){ .fs = CGROUPFS_INIT };
	ret = image_read_one(r->opts->images_dir, IMG_KIND_CGROUP, 0, &r->arena, &g->entry, err);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret; /* dumped without */
	ret = cgroupfs_load(&g->fs, err);
	if (ret < 0)
		return ret;
	r->cgroups = g;
	for (size_t i = 0; i < g->entry->n_sets && ret >= 0; i++)
		for (size_t k = 0; k < g->entry->sets[i]->n_ctls && ret >= 0; k++)
			ret = add_hidden(r, g->entry->sets[i]->ctls[k], err);
	return ret;
}

int cgroup_place(struct restore *r, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_free char *after = NULL;
	uint32_t root = cgroup_set_of(&r->root->threads[0]);
	const CgSetEntry *set = r->cgroups ? cgroup_find_set(r->cgroups->entry, root) : NULL;
	size_t len = 0;
	char path[32];
	int ret;

	if (!r->cgroups || (r->inventory->has_root_cg_set && root == r->inventory->root_cg_set))
		return 0;
	if (!set)
		return err_set(err, -EBADMSG, "cgroup.img: no set %u", root);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", r->host_pid);
	ret = file_read_at(AT_FDCWD, path, 1 << 20, &text, &len, err);
	for (size_t i = 0; ret >= 0 && i < set->n_ctls; i++)
		ret = place(r, set->ctls[i], text, err);
	if (ret >= 0 && !r->cgroups->below)
		ret = file_read_at(AT_FDCWD, path, 1 << 20, &after, &len, err);
	if (ret < 0)
		return err_wrap(err, ret, "cgroups");
	if (after)
		r->cgroups->root_text = arena_strdup(&r->arena, after);
	return 0;
}

void cgroup_restore_done(struct restore *r)
{
	if (r->cgroups)
		cgroupfs_done(&r->cgroups->fs);
}

/* The processes in them are gone. */
void cgroup_undo(struct restore *r)
{
	for (size_t i = r->made_groups.n; i-- > 0;)
		if (rmdir(r->made_groups.items[i]) < 0)
			log_warn("group '%s' of the failed restore is left",
				 r->made_groups.items[i]);
}
