/*
 * ns-restore: the namespaces of the tree, but mounts (mount-restore.h) and clocks (timens).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "img/pb/core.pb-c.h"

struct error;
struct restore;
struct rtask;
struct tape;

/* Which namespaces R gets of its own: sets clone_flags, new_pid_ns; refuses what can't be. */
int ns_plan(struct restore *r, struct error *err);

/* R's tape: the namespaces it joins, and what is in its new ones. */
int ns_tape(struct restore *r, struct tape *tape, struct error *err);

/* The staging number of M's /proc. */
int ns_proc_fd(struct restore *r, struct error *err);

/* The number of a task's namespace; `flag` is CLONE_NEW*. */
uint32_t ns_id(const TaskKobjIdsEntry *ids, uint64_t flag);

/* R's tape, in a new namespace: what is in it. */
int ns_tape_uts(struct restore *r, uint32_t id, struct error *err);

/* ns-nested-restore.c: namespaces that the root task is not in. R makes them all, fills them,
 * and goes back to its own; tasks enter theirs. */
bool ns_may_nest(uint64_t flag);
int ns_tape_nested(struct restore *r, struct error *err);
void ns_tape_enter(struct restore *r, struct rtask *t);
