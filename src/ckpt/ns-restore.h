/*
 * ns-restore: the namespaces of the tree, but mounts (mount-restore.h) and clocks (timens).
 */
#pragma once

struct error;
struct restore;
struct tape;

/* Which namespaces R gets of its own: sets clone_flags, new_pid_ns; refuses what can't be. */
int ns_plan(struct restore *r, struct error *err);

/* R's tape: the namespaces it joins, and what is in its new ones. */
int ns_tape(struct restore *r, struct tape *tape, struct error *err);

/* The staging number of M's /proc. */
int ns_proc_fd(struct restore *r, struct error *err);
