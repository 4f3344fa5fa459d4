/*
 * tasks-restore: the tasks that are made: found by number, by maker and by
 * parent. No step may look through all of them for each.
 */
#include <stdlib.h>

#include "base/err.h"
#include "ckpt/mem-restore.h"
#include "ckpt/restore-priv.h"

#define TABLE_MIN 64 /* slots, a power of two; at least half of them are free */

const char *rtask_comm(const struct rtask *t)
{
	if (t->core && t->core->tc && t->core->tc->comm && *t->core->tc->comm)
		return t->core->tc->comm;
	return t->kind == RTASK_LEADER || t->kind == RTASK_CARRIER ? "helper" : "?";
}

/* Where the task with that number is, or belongs. */
static struct rtask **slot_of(struct rtask **table, size_t size, uint32_t pid)
{
	size_t i = (pid * UINT32_C(2654435769)) & (size - 1);

	while (table[i] && table[i]->pid != pid)
		i = (i + 1) & (size - 1);
	return &table[i];
}

struct rtask *restore_find_task(const struct restore *r, uint32_t pid)
{
	if (!pid || !r->n_tasks)
		return NULL;
	return *slot_of(r->by_pid, r->by_pid_size, pid);
}

static bool grow(struct restore *r)
{
	size_t size = r->by_pid_size ? 2 * r->by_pid_size : TABLE_MIN;
	struct rtask **table = calloc(size, sizeof(struct rtask *));
	struct rtask **tasks = NULL;

	if (table)
		tasks = reallocarray(r->tasks, size, sizeof(struct rtask *));
	if (!tasks) {
		free(table);
		return false;
	}
	r->tasks = tasks;
	for (size_t i = 0; i < r->n_tasks; i++)
		*slot_of(table, size, tasks[i]->pid) = tasks[i];
	free(r->by_pid);
	r->by_pid = table;
	r->by_pid_size = size;
	return true;
}

struct rtask *restore_add_task(struct restore *r, enum rtask_kind kind, uint32_t pid)
{
	struct rtask *t = arena_new(&r->arena, struct rtask);

	if (!t || (2 * (r->n_tasks + 1) > r->by_pid_size && !grow(r)))
		return NULL;
	t->kind = kind;
	t->pid = pid;
	r->tasks[r->n_tasks++] = t;
	*slot_of(r->by_pid, r->by_pid_size, pid) = t;
	return t;
}

void restore_link_tasks(struct restore *r)
{
	r->n_living = 0;
	r->any_ending = false;
	for (size_t i = r->n_tasks; i--;) {
		struct rtask *t = r->tasks[i];

		if (t->forker) {
			t->next_fork = t->forker->first_fork;
			t->forker->first_fork = t;
		}
		if (t->parent) {
			t->next_child = t->parent->first_child;
			t->parent->first_child = t;
		}
		r->n_living += rtask_lives(t);
		r->any_ending = r->any_ending || !rtask_lives(t);
	}
}

void restore_forget_tasks(struct restore *r)
{
	for (size_t i = 0; i < r->n_tasks; i++) {
		free(r->tasks[i]->host_tids);
		mem_plan_free(r->tasks[i]->mem);
	}
	free(r->tasks);
	free(r->by_pid);
}
