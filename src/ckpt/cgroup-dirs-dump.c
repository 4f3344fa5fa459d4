/*
 * cgroup-dirs: the groups of the tree, those below them, and their settings.
 *
 * Only what a group is told is saved, not what it says of itself. The groups
 * that we are in ourselves are not the tree's and are left out.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "ckpt/cgroup.h"
#include "ckpt/dump-priv.h"

#define DEPTH_MAX 32
#define VALUE_MAX 65536

/* Order matters on restore: a limit of memory before that of memory and swap. */
static const char *const settings_v1[] = {
	"cgroup.procs",
	"tasks",
	"cgroup.clone_children",
	"notify_on_release",
	"cpuset.cpus",
	"cpuset.mems",
	"cpuset.cpu_exclusive",
	"cpuset.mem_exclusive",
	"cpuset.mem_hardwall",
	"cpuset.memory_migrate",
	"cpuset.memory_spread_page",
	"cpuset.memory_spread_slab",
	"cpuset.sched_load_balance",
	"cpuset.sched_relax_domain_level",
	"cpu.shares",
	"cpu.cfs_period_us",
	"cpu.cfs_quota_us",
	"cpu.rt_period_us",
	"cpu.rt_runtime_us",
	"memory.limit_in_bytes",
	"memory.memsw.limit_in_bytes",
	"memory.soft_limit_in_bytes",
	"memory.swappiness",
	"memory.oom_control",
	"pids.max",
	"blkio.weight",
	"blkio.bfq.weight",
	"net_cls.classid",
	"net_prio.ifpriomap",
	"devices.list",
	NULL,
};

static const char *const settings_v2[] = {
	"cgroup.procs",	    "cgroup.max.descendants",
	"cgroup.max.depth", "cgroup.subtree_control",
	"cpuset.cpus",	    "cpuset.mems",
	"cpu.weight",	    "cpu.max",
	"cpu.idle",	    "memory.min",
	"memory.low",	    "memory.high",
	"memory.max",	    "memory.swap.max",
	"memory.oom.group", "pids.max",
	"io.weight",	    "io.bfq.weight",
	"io.max",	    NULL,
};

static CgroupPerms *perms_at(struct dump *dump, int dir, const char *name)
{
	CgroupPerms *perms = arena_new(&dump->arena, CgroupPerms);
	struct stat st;

	if (!perms || fstatat(dir, name, &st, AT_EMPTY_PATH) < 0)
		return NULL;
	cgroup_perms__init(perms);
	perms->mode = st.st_mode;
	perms->uid = st.st_uid;
	perms->gid = st.st_gid;
	return perms;
}

static bool has_tasks(const char *name)
{
	return !strcmp(name, "cgroup.procs") || !strcmp(name, "tasks");
}

/* Those that this group has; which are there depends on the hierarchy and the kernel. */
static int read_settings(struct dump *dump, int fd, bool v2, CgroupDirEntry *dir, struct error *err)
{
	const char *const *names = v2 ? settings_v2 : settings_v1;
	size_t n = v2 ? ARRAY_SIZE(settings_v2) : ARRAY_SIZE(settings_v1);

	dir->properties = arena_new_array(&dump->arena, CgroupPropEntry *, n);
	if (!dir->properties)
		return err_oom(err);
	for (; *names; names++) {
		cleanup_free char *text = NULL;
		CgroupPropEntry *prop;
		size_t len = 0;

		/* Of those that list tasks only the owner and mode are of interest. */
		if (has_tasks(*names) ? faccessat(fd, *names, F_OK, 0) < 0
				      : file_read_at(fd, *names, VALUE_MAX, &text, &len, NULL) < 0)
			continue;
		prop = arena_new(&dump->arena, CgroupPropEntry);
		if (!prop)
			return err_oom(err);
		cgroup_prop_entry__init(prop);
		while (len && text[len - 1] == '\n')
			len--;
		prop->name = (char *)*names;
		prop->value = arena_strndup(&dump->arena, text ? text : "", len);
		prop->perms = perms_at(dump, fd, *names);
		if (!prop->value)
			return err_oom(err);
		dir->properties[dir->n_properties++] = prop;
	}
	return 0;
}

static int read_dir(struct dump *dump, int at, const char *path, const char *name, bool v2,
		    unsigned int depth, CgroupDirEntry **ret, struct error *err);

static int read_children(struct dump *dump, int fd, bool v2, unsigned int depth,
			 CgroupDirEntry *parent, struct error *err)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	size_t room = 0;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		if (copy >= 0)
			(void)close(copy); /* not taken over */
		return err_sys(err, "list group '%s'", parent->dir_name);
	}
	while ((entry = readdir(dir))) {
		int r;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (parent->n_children == room) {
			CgroupDirEntry **more;

			room = room ? room * 2 : 8;
			more = arena_new_array(&dump->arena, CgroupDirEntry *, room);
			if (!more)
				return err_oom(err);
			if (parent->n_children)
				memcpy(more, parent->children,
				       parent->n_children * sizeof(CgroupDirEntry *));
			parent->children = more;
		}
		r = read_dir(dump, fd, entry->d_name, entry->d_name, v2, depth + 1,
			     &parent->children[parent->n_children], err);
		if (r < 0)
			return r;
		parent->n_children += (size_t)r;
	}
	return 0;
}

/* 1: read; 0: it is gone meanwhile. */
static int read_dir(struct dump *dump, int at, const char *path, const char *name, bool v2,
		    unsigned int depth, CgroupDirEntry **ret, struct error *err)
{
	cleanup_fd int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CgroupDirEntry *dir = arena_new(&dump->arena, CgroupDirEntry);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open group '%s'", path);
	if (!dir)
		return err_oom(err);
	if (depth > DEPTH_MAX)
		return err_set(err, -EOPNOTSUPP, "group '%s' is more than %d deep", path,
			       DEPTH_MAX);
	cgroup_dir_entry__init(dir);
	dir->dir_name = arena_strdup(&dump->arena, name);
	if (!dir->dir_name)
		return err_oom(err);
	dir->dir_perms = perms_at(dump, fd, "");
	r = read_settings(dump, fd, v2, dir, err);
	if (r == 0)
		r = read_children(dump, fd, v2, depth, dir, err);
	*ret = dir;
	return r < 0 ? r : 1;
}

int cgroup_dir_read(struct dump *dump, const struct cgroup_hierarchy *hierarchy, const char *path,
		    CgroupDirEntry **ret, struct error *err)
{
	char *full = arena_printf(&dump->arena, "%s%s", hierarchy->mountpoint, path);

	*ret = NULL;
	if (!full)
		return err_oom(err);
	return read_dir(dump, AT_FDCWD, full, path + 1, hierarchy->v2, 0, ret, err);
}
