/*
 * cgroup: the control groups of one container, one in each mounted hierarchy.
 *
 * A group is the container's own only if we made it (mkdir(2)) for it, or
 * found it empty. It is remembered with the number of its folder's inode,
 * which the kernel never uses twice. Whoever signals, freezes or removes
 * through a group opens it by cgroup_open_own(), which refuses the root of a
 * hierarchy, our own group and all above it, and any folder with another
 * inode. There is no other way to a group's folder in this room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/json.h"

struct cgroup_hierarchy;
struct cgroupfs;
struct error;

struct cgroup_part {
	bool v2;
	const char *controllers; /* "memory"; "" for v2 */
	const char *mountpoint;
	uint64_t inode;		   /* 0: not made yet */
	unsigned int parents_made; /* folders above it that were made for it */
};

struct cgroup {
	struct arena arena;
	const char *path; /* the same in every hierarchy; "/cryorun/c1" */
	struct cgroup_part *parts;
	size_t n;
};

#define CGROUP_INIT                                                                                \
	{                                                                                          \
		.path = NULL                                                                       \
	}

/*
 * Chooses the path: config.json's `wanted`, or /cryorun/ID. A systemd name
 * ("slice:prefix:name") becomes the path systemd would use. Makes nothing.
 */
int cgroup_plan(const struct cgroupfs *all, const char *wanted, const char *id, struct cgroup *ret,
		struct error *err);

/* Makes the groups. -EEXIST: one has foreign processes. On failure what was made is gone. */
int cgroup_create(struct cgroup *cg, struct error *err);

/* Puts a process into all of them. */
int cgroup_join(const struct cgroup *cg, pid_t host_pid, struct error *err);

/* A descriptor of the part's folder after all checks, or: -ENOENT: it is gone (or was never
 * made); -EPERM: it is not provably the container's. */
int cgroup_open_own(const struct cgroup *cg, const struct cgroup_part *part, struct error *err);

/* Removes the groups and those below them; groups that are gone are fine, busy ones are waited
 * for shortly. Never touches a process. */
int cgroup_remove(const struct cgroup *cg, struct error *err);

/* The part that has the controller ("freezer"; "" is v2), or NULL. */
const struct cgroup_part *cgroup_find(const struct cgroup *cg, const char *controller);

int cgroup_to_json(const struct cgroup *cg, json_t **ret, struct error *err);
int cgroup_from_json(const json_t *json, struct cgroup *ret, struct error *err);
void cgroup_forget(struct cgroup *cg);

#define cleanup_cgroup __attribute__((cleanup(cgroup_forget)))
