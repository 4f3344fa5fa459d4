/*
 * cgroup: where in the cgroup hierarchies the tree is.
 *
 * A set is one path for each hierarchy. Set 1 is the caller's own and is not
 * written: a task in it stays where a restore puts it. cgroup.img has the
 * other sets and the groups they name.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "img/pb/cgroup.pb-c.h"

struct cgroup_hierarchy;
struct dump;
struct dump_task;
struct error;

/* Before the freeze: our own set. */
int cgroup_prepare(struct dump *dump, struct error *err);

/* The number of a task's set; frozen. */
int cgroup_collect(struct dump *dump, const struct dump_task *task, uint32_t *ret_set,
		   struct error *err);

/* The same of a thread, once its process is known. */
int cgroup_collect_thread(struct dump *dump, const struct dump_task *task, pid_t host_tid,
			  uint32_t *ret_set, struct error *err);

/* Nothing to write while all tasks are in our own set. */
int cgroup_write(struct dump *dump, struct error *err);
void cgroup_done(struct dump *dump);

/* The text of /proc/PID/cgroup as a set without number; all in the arena. */
int cgroup_set_parse(const char *text, struct arena *arena, CgSetEntry **ret, struct error *err);

/* cgroup-dirs-dump.c: the record of a group and those below it. 1: read; 0: there is none. */
int cgroup_dir_read(struct dump *dump, const struct cgroup_hierarchy *hierarchy, const char *path,
		    CgroupDirEntry **ret, struct error *err);
