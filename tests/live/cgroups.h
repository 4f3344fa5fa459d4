/*
 * cgroups: a hierarchy of the test's own (v1, named), without controllers:
 * nothing in it acts on anybody.
 */
#pragma once

#include <sys/mount.h>

#include "live.h"

static char cgroup_folder[4096];

/* Mounted below the test's folder, and hidden again with the mount namespace it is in. */
static inline void cgroup_mount(const char *name)
{
	char options[128];

	live_copy(cgroup_folder, sizeof(cgroup_folder), live_path("groups"));
	(void)SYS(mkdir(cgroup_folder, 0755));
	(void)snprintf(options, sizeof(options), "none,name=%s", name);
	(void)SYS(mount("live", cgroup_folder, "cgroup", 0, options));
}

static inline const char *cgroup_path(const char *group, const char *file)
{
	static char path[8192];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", cgroup_folder, group, file);
	return path;
}

static inline void cgroup_write(const char *group, const char *file, const char *text)
{
	int fd = SYS(open(cgroup_path(group, file), O_WRONLY));

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s/%s: %s", group, file,
	      strerror(errno));
	(void)close(fd);
}

/* The group of a task or thread in that hierarchy. */
static inline const char *cgroup_of(const char *proc, const char *name)
{
	static _Thread_local char line[4096];
	char key[128], path[64];
	FILE *file;

	(void)snprintf(key, sizeof(key), ":name=%s:", name);
	(void)snprintf(path, sizeof(path), "/proc/%s/cgroup", proc);
	file = fopen(path, "re");
	CHECK(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		char *at = strstr(line, key);

		if (at) {
			line[strcspn(line, "\n")] = '\0';
			(void)fclose(file);
			return at + strlen(key);
		}
	}
	(void)fclose(file);
	return "?";
}

/* The hierarchy ends with its last mount, once the kernel has forgotten its removed groups. */
static inline void cgroup_unmount(const char *name)
{
	char options[128];

	(void)snprintf(options, sizeof(options), "none,name=%s", name);
	for (int i = 0; i < 20; i++) {
		(void)SYS(umount2(cgroup_folder, 0));
		for (int k = 0; k < 50; k++) {
			if (!strcmp(cgroup_of("self", name), "?"))
				return;
			live_pause_ms(10);
		}
		(void)SYS(mount("live", cgroup_folder, "cgroup", 0, options));
	}
	live_fail("hierarchy %s does not end", name);
}
