/*
 * cgroup: where in the cgroup hierarchies the tree is.
 *
 * A set is one path for each hierarchy. Set 1 is the caller's own and is not
 * written: a task in it stays where a restore puts it. cgroup.img has the
 * other sets and the groups they name.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "img/pb/cgroup.pb-c.h"

struct dump;
struct dump_task;
struct error;

/* Before the freeze: our own set. */
int cgroup_prepare(struct dump *dump, struct error *err);

/* The number of a task's set; frozen. All threads of a task are in its set or refused. */
int cgroup_collect(struct dump *dump, const struct dump_task *task, uint32_t *ret_set,
		   struct error *err);

/* Nothing to write while all tasks are in our own set. */
int cgroup_write(struct dump *dump, struct error *err);
void cgroup_done(struct dump *dump);

/* The text of /proc/PID/cgroup as a set without number; all in the arena. */
int cgroup_set_parse(const char *text, struct arena *arena, CgSetEntry **ret, struct error *err);
