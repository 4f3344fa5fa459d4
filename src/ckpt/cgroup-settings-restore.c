/*
 * cgroup-settings: owners, modes and settings of groups.
 *
 * A setting that this kernel, or the group above, does not allow is left: the
 * tree runs without that limit, and the log says so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/cgroup-restore-priv.h"

/* What only says how things stood, or would act on tasks. */
static bool is_no_setting(const char *name)
{
	static const char *const names[] = { "cgroup.procs",  "tasks",	       "cgroup.threads",
					     "freezer.state", "cgroup.freeze", "cgroup.kill",
					     "cgroup.type" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return strchr(name, '/') != NULL;
}

static void set(int fd, const char *group, const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	if (file_poke_at(fd, name, value, &err) < 0)
		log_debug("group '%s' keeps its own %s: %s", group, name, err.text);
}

/* One write a line, `before` in front of each word or line. */
static void set_parts(int fd, const char *group, const char *name, const char *value,
		      const char *before, const char *ends)
{
	while (*value) {
		cleanup_free char *part = NULL;
		size_t len = strcspn(value, ends);

		if (len && asprintf(&part, "%s%.*s", before, (int)len, value) >= 0)
			set(fd, group, name, part);
		value += len + (value[len] != '\0');
	}
}

static void set_devices(int fd, const char *group, const char *value)
{
	if (strncmp(value, "a *:* ", 6) == 0)
		return; /* all, as in a new group */
	set(fd, group, "devices.deny", "a");
	set_parts(fd, group, "devices.allow", value, "", "\n");
}

static void set_one(int fd, const char *group, const CgroupPropEntry *p, bool made)
{
	if (is_no_setting(p->name) || !*p->value)
		return;
	if (strcmp(p->name, "devices.list") == 0 ||
	    strcmp(p->name, "cgroup.subtree_control") == 0) {
		if (made && p->name[0] == 'd')
			set_devices(fd, group, p->value);
		else if (made)
			set_parts(fd, group, p->name, p->value, "+", " \n");
	} else if (strcmp(p->name, "memory.oom_control") == 0) {
		if (strstr(p->value, "oom_kill_disable 1") || strcmp(p->value, "1") == 0)
			set(fd, group, p->name, "1");
	} else {
		set_parts(fd, group, p->name, p->value, "", "\n");
	}
}

static void set_perms(int fd, const char *name, const CgroupPerms *perms)
{
	if (!perms)
		return;
	if (fchownat(fd, name, perms->uid, perms->gid, AT_EMPTY_PATH) < 0 ||
	    (*name ? fchmodat(fd, name, perms->mode & 07777, 0) : fchmod(fd, perms->mode & 07777)) <
		    0)
		log_debug("cgroup '%s': its owner or mode stays: %s", name, strerror(errno));
}

void cgroup_settings_write(const CgroupDirEntry *dir, const char *group, bool made)
{
	cleanup_fd int fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	for (size_t i = 0; i < dir->n_properties; i++) {
		set_one(fd, group, dir->properties[i], made);
		if (made && !strchr(dir->properties[i]->name, '/'))
			set_perms(fd, dir->properties[i]->name, dir->properties[i]->perms);
	}
	if (made)
		set_perms(fd, "", dir->dir_perms);
}
