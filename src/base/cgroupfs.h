/*
 * cgroupfs: which cgroup hierarchies are mounted, and where this process is.
 *
 * Three layouts exist: v1 (each controller, or a few together, its own mount),
 * unified (one cgroup2 mount), hybrid (v1 plus a cgroup2 mount that has no
 * controllers). Paths of groups are as /proc/PID/cgroup shows them: absolute,
 * from the root of the hierarchy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct error;

struct cgroup_hierarchy {
	bool v2;
	const char *controllers; /* "cpu,cpuacct", "name=systemd"; "" for v2 */
	const char *mountpoint;
	const char *own; /* our own group in it: "/", "/user.slice/..." */
};

struct cgroupfs {
	struct arena arena;
	struct cgroup_hierarchy *hierarchies;
	size_t n;
};

#define CGROUPFS_INIT                                                                              \
	{                                                                                          \
		.arena = ARENA_INIT                                                                \
	}

/* Only hierarchies whose root is mounted count; of several mounts of one, the first. */
int cgroupfs_load(struct cgroupfs *ret, struct error *err);
void cgroupfs_done(struct cgroupfs *cgroups);

/* Exactly one hierarchy, and it is cgroup2. */
bool cgroupfs_is_unified(const struct cgroupfs *cgroups);

/* The v1 hierarchy with that controller ("memory", "name=systemd"), or NULL. */
const struct cgroup_hierarchy *cgroupfs_find(const struct cgroupfs *cgroups,
					     const char *controller);

/* Is `word` one of the comma-separated `list`? */
bool cgroup_controllers_have(const char *list, const char *word);

/*
 * Is `group` the same as `other`, or above it? Both absolute, as in
 * /proc/PID/cgroup. A killer or freezer asks this about its own group first.
 */
bool cgroup_path_covers(const char *group, const char *other);

#define cleanup_cgroupfs __attribute__((cleanup(cgroupfs_done)))
