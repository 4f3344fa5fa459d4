/*
 * cgroup-others: tasks and threads that are not in the root task's groups.
 *
 * They are born there with the others, and moved by M when the tree is
 * complete. What memory they have by then stays with the root's group.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"
#include "ckpt/cgroup-restore-priv.h"
#include "ckpt/restore-priv.h"

/* The ids outside of those that have others inside; a tree of its own is all below R. */
static int find_host_pids(struct restore *r, pid_t host_pid, struct error *err)
{
	cleanup_free pid_t *children = NULL;
	struct proc_status status;
	struct rtask *t;
	size_t n = 0;
	int ret = proc_status_of(host_pid, &status, err);

	if (ret < 0)
		return ret;
	t = restore_find_task(r, (uint32_t)proc_ids_inner(&status.ns_pid));
	proc_status_done(&status);
	if (t)
		t->host_pid = host_pid;
	ret = proc_children_of(host_pid, &children, &n, err);
	for (size_t i = 0; i < n && ret >= 0; i++)
		ret = find_host_pids(r, children[i], err);
	return ret;
}

static int find_host_tid(const struct restore *r, const struct rtask *t, uint32_t tid, pid_t *ret,
			 struct error *err)
{
	cleanup_free pid_t *tids = NULL;
	size_t n = 0;
	int code;

	*ret = (pid_t)tid;
	if (!r->new_pid_ns)
		return 0;
	code = proc_threads_of(t->host_pid, &tids, &n, err);
	for (size_t i = 0; i < n && code >= 0; i++) {
		struct proc_status status;

		code = proc_status_of_thread(t->host_pid, tids[i], &status, err);
		if (code < 0)
			break;
		if ((uint32_t)proc_ids_inner(&status.ns_pid) == tid)
			*ret = tids[i];
		proc_status_done(&status);
	}
	return code;
}

/* Into the groups of `set` that are others than those of `from`. */
static int move(struct restore *r, uint32_t set, uint32_t from, pid_t host_id, bool thread,
		struct error *err)
{
	const CgSetEntry *to = cgroup_find_set(r->cgroups->entry, set);
	const CgSetEntry *now = cgroup_find_set(r->cgroups->entry, from);
	int ret = 0;

	for (size_t i = 0; to && i < to->n_ctls && ret >= 0; i++) {
		const struct cgroup_hierarchy *h =
			cgroup_find_hierarchy(&r->cgroups->fs, to->ctls[i]->name);
		cleanup_free char *group = NULL;

		if (!h ||
		    (now && i < now->n_ctls && strcmp(now->ctls[i]->path, to->ctls[i]->path) == 0))
			continue;
		ret = cgroup_group_make(r, h, to->ctls[i], &group, err);
		if (ret > 0)
			ret = cgroup_enter(group,
					   !thread ? "cgroup.procs"
					   : h->v2 ? "cgroup.threads"
						   : "tasks",
					   host_id, err);
	}
	return ret < 0 ? ret : 0;
}

static int move_task(struct restore *r, const struct rtask *t, struct error *err)
{
	uint32_t root = cgroup_set_of(&r->root->threads[0]);
	uint32_t own = cgroup_set_of(&t->threads[0]);
	int ret = 0;

	if (own != root)
		ret = move(r, own, root, t->host_pid, false, err);
	for (size_t i = 1; i < t->n_threads && ret >= 0; i++) {
		uint32_t set = cgroup_set_of(&t->threads[i]);
		pid_t host_tid;

		if (set == own)
			continue;
		ret = find_host_tid(r, t, t->threads[i].tid, &host_tid, err);
		if (ret >= 0)
			ret = move(r, set, own, host_tid, true, err);
	}
	return ret < 0 ? err_wrap(err, ret, "task %u (%s)", t->pid, rtask_comm(t)) : 0;
}

static bool is_elsewhere(const struct restore *r, const struct rtask *t)
{
	for (size_t i = 0; i < t->n_threads; i++)
		if (cgroup_set_of(&t->threads[i]) != cgroup_set_of(&r->root->threads[0]))
			return true;
	return false;
}

int cgroup_place_others(struct restore *r, struct error *err)
{
	bool any = false;
	int ret = 0;

	if (!r->cgroups)
		return 0;
	for (size_t i = 0; i < r->n_image_tasks; i++)
		any |= is_elsewhere(r, r->tasks[i]);
	if (any && r->new_pid_ns)
		ret = find_host_pids(r, r->host_pid, err);
	for (size_t i = 0; any && i < r->n_image_tasks && ret >= 0; i++) {
		struct rtask *t = r->tasks[i];

		if (!rtask_lives(t) || !is_elsewhere(r, t))
			continue;
		if (!t->host_pid)
			t->host_pid = (pid_t)t->pid;
		ret = move_task(r, t, err);
	}
	if (ret >= 0)
		ret = cgroup_place_below(r, err);
	return ret < 0 ? err_wrap(err, ret, "cgroups") : 0;
}
