/*
 * cgroup-tasks: the processes in a container's groups: list, signal, freeze.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct cgroup;
struct error;

/* Ids of all processes in the container's groups and those below; the caller's. Empty (NULL, 0)
 * when the groups are gone. */
int cgroup_pids(const struct cgroup *cg, pid_t **ret_pids, size_t *ret_n, struct error *err);

/* Sends a signal to each of them. Returns how many got it. */
int cgroup_signal(const struct cgroup *cg, int signal, struct error *err);

/* Freezes or thaws, and waits until it is so. -EOPNOTSUPP: no hierarchy here can. */
int cgroup_freeze(const struct cgroup *cg, bool freeze, struct error *err);

/* 1: frozen (or about to be); 0: not, or there's no group. */
int cgroup_is_frozen(const struct cgroup *cg);
