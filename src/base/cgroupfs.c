#include "base/cgroupfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mountinfo.h"

#define CGROUP_TEXT_MAX ((size_t)1 << 20)

bool cgroup_controllers_have(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t part = strcspn(list, ",");

		if (part == len && memcmp(list, word, len) == 0)
			return true;
		list += part + (list[part] == ',');
	}
	return false;
}

bool cgroup_path_covers(const char *group, const char *other)
{
	size_t len = strlen(group);

	while (len > 0 && group[len - 1] == '/')
		len--;
	return strncmp(group, other, len) == 0 && (other[len] == '/' || other[len] == '\0');
}

bool cgroupfs_is_unified(const struct cgroupfs *cgroups)
{
	return cgroups->n == 1 && cgroups->hierarchies[0].v2;
}

const struct cgroup_hierarchy *cgroupfs_find(const struct cgroupfs *cgroups, const char *controller)
{
	for (size_t i = 0; i < cgroups->n; i++)
		if (!cgroups->hierarchies[i].v2 &&
		    cgroup_controllers_have(cgroups->hierarchies[i].controllers, controller))
			return &cgroups->hierarchies[i];
	return NULL;
}

/* A v1 mount tells its controllers among the super block's options. */
static bool mount_has(const struct mountinfo *mount, const char *controllers)
{
	const char *first_end = strchrnul(controllers, ',');
	size_t len = (size_t)(first_end - controllers);

	for (const char *o = mount->super_options; *o;) {
		size_t part = strcspn(o, ",");

		if (part == len && memcmp(o, controllers, len) == 0)
			return true;
		o += part + (o[part] == ',');
	}
	return false;
}

static const struct mountinfo *find_mount(const struct mountinfo_table *mounts, bool v2,
					  const char *controllers)
{
	for (size_t i = 0; i < mounts->n; i++) {
		const struct mountinfo *mount = &mounts->mounts[i];

		if (strcmp(mount->fstype, v2 ? "cgroup2" : "cgroup") != 0 ||
		    strcmp(mount->root, "/") != 0)
			continue;
		if (v2 || mount_has(mount, controllers))
			return mount;
	}
	return NULL;
}

/* "4:memory:/user" -> controllers and path, cut in place */
static bool split_line(char *line, char **ret_controllers, char **ret_path)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return false;
	*controllers = '\0';
	*path = '\0';
	*ret_controllers = controllers + 1;
	*ret_path = path + 1;
	return true;
}

static int add_line(struct cgroupfs *cgroups, size_t room, const struct mountinfo_table *mounts,
		    char *line, struct error *err)
{
	struct cgroup_hierarchy *h = &cgroups->hierarchies[cgroups->n];
	const struct mountinfo *mount;
	char *controllers;
	char *path;
	bool v2;

	if (!split_line(line, &controllers, &path))
		return err_set(err, -EBADMSG, "/proc/self/cgroup: strange line '%s'", line);
	v2 = *controllers == '\0';
	mount = find_mount(mounts, v2, controllers);
	if (!mount || cgroups->n == room)
		return 0;
	*h = (struct cgroup_hierarchy){
		.v2 = v2,
		.controllers = arena_strdup(&cgroups->arena, controllers),
		.mountpoint = arena_strdup(&cgroups->arena, mount->mountpoint),
		.own = arena_strdup(&cgroups->arena, path),
	};
	if (!arena_ok(&cgroups->arena))
		return err_oom(err);
	cgroups->n++;
	return 0;
}

int cgroupfs_load(struct cgroupfs *ret, struct error *err)
{
	cleanup_mountinfo struct mountinfo_table mounts = MOUNTINFO_TABLE_INIT;
	cleanup_cgroupfs struct cgroupfs cgroups = CGROUPFS_INIT;
	cleanup_free char *text = NULL;
	size_t room = 1;
	char *rest;
	char *line;
	int r;

	r = mountinfo_read_at(AT_FDCWD, "/proc/self/mountinfo", &mounts, err);
	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, "/proc/self/cgroup", CGROUP_TEXT_MAX, &text, NULL, err);
	if (r < 0)
		return r;
	for (const char *c = text; *c; c++)
		room += *c == '\n';
	cgroups.hierarchies = arena_new_array(&cgroups.arena, struct cgroup_hierarchy, room);
	if (!cgroups.hierarchies)
		return err_oom(err);
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		if (*line == '\0')
			continue;
		r = add_line(&cgroups, room, &mounts, line, err);
		if (r < 0)
			return r;
	}
	*ret = cgroups;
	cgroups = (struct cgroupfs)CGROUPFS_INIT;
	return 0;
}

void cgroupfs_done(struct cgroupfs *cgroups)
{
	arena_done(&cgroups->arena);
	*cgroups = (struct cgroupfs)CGROUPFS_INIT;
}
