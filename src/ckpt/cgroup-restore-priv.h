/*
 * cgroup-restore-priv: what the files that put tasks into groups share.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cgroupfs.h"
#include "img/pb/cgroup.pb-c.h"

struct error;
struct restore;
struct rthread;

struct rcgroups {
	CgroupEntry *entry;
	struct cgroupfs fs;
	const char *root_text; /* R's /proc/PID/cgroup once it was placed */
	bool below;	       /* R is in the root of its cgroup namespace, and must go below it */
};

/* cgroup-restore.c: its set's number; 0: not told. */
uint32_t cgroup_set_of(const struct rthread *thread);
const CgSetEntry *cgroup_find_set(const CgroupEntry *c, uint32_t id);
const struct cgroup_hierarchy *cgroup_find_hierarchy(const struct cgroupfs *fs, const char *name);

/*
 * That group as a folder, made if the caller's mode allows it. Where the root
 * task's own group is another one now, what was below it is below that. 1: it
 * is there; 0: it is not and may not be made.
 */
int cgroup_group_make(struct restore *r, const struct cgroup_hierarchy *h, const CgMemberEntry *m,
		      char **ret_group, struct error *err);
int cgroup_enter(const char *group, const char *file, pid_t host_id, struct error *err);
/* R has made its cgroup namespace: into the group that it was in, below the namespace's root. */
int cgroup_place_below(struct restore *r, struct error *err);

/* cgroup-settings-restore.c: what the group was told; `made`: it is new, and ours. */
void cgroup_settings_write(const CgroupDirEntry *dir, const char *group, bool made);
