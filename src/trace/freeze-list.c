/*
 * freeze-list: the tasks and threads of a freeze, and the way from a tid to them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "trace/freeze-priv.h"

static size_t slot_index(const struct freeze *f, pid_t host_tid)
{
	size_t i = ((size_t)host_tid * 2654435761U) & (f->table_size - 1);

	while (f->table[i].host_tid && f->table[i].host_tid != host_tid)
		i = (i + 1) & (f->table_size - 1);
	return i;
}

struct freeze_slot *freeze_slot_of(const struct freeze *f, pid_t host_tid)
{
	struct freeze_slot *slot;

	if (!f->table_size)
		return NULL;
	slot = &f->table[slot_index(f, host_tid)];
	return slot->host_tid ? slot : NULL;
}

static int slot_put(struct freeze *f, pid_t host_tid, size_t task, size_t thread)
{
	struct freeze_slot *slot;

	if (2 * (f->table_used + 1) > f->table_size) {
		struct freeze bigger = { .table_size = f->table_size ? 2 * f->table_size : 64 };

		bigger.table = calloc(bigger.table_size, sizeof(*bigger.table));
		if (!bigger.table)
			return -ENOMEM;
		for (size_t i = 0; i < f->table_size; i++) {
			if (f->table[i].host_tid)
				bigger.table[slot_index(&bigger, f->table[i].host_tid)] =
					f->table[i];
		}
		free(f->table);
		f->table = bigger.table;
		f->table_size = bigger.table_size;
	}
	slot = &f->table[slot_index(f, host_tid)];
	if (!slot->host_tid)
		f->table_used++;
	*slot = (struct freeze_slot){ host_tid, task, thread };
	return 0;
}

/* True when n is a power of two or 0: time to double. */
static bool is_full(size_t n)
{
	return (n & (n - 1)) == 0;
}

int freeze_add_task(struct freeze *f, pid_t host_pid, pid_t host_ppid, size_t *ret_task,
		    struct error *err)
{
	if (is_full(f->n_tasks)) {
		struct frozen_task *tasks =
			reallocarray(f->tasks, f->n_tasks ? 2 * f->n_tasks : 1, sizeof(*tasks));

		if (!tasks)
			return err_oom(err);
		f->tasks = tasks;
	}
	if (slot_put(f, host_pid, f->n_tasks, 0) < 0)
		return err_oom(err);
	f->tasks[f->n_tasks] = (struct frozen_task){ .host_pid = host_pid, .host_ppid = host_ppid };
	*ret_task = f->n_tasks++;
	return 0;
}

int freeze_add_thread(struct freeze *f, size_t task, pid_t host_tid, struct error *err)
{
	struct frozen_task *t = &f->tasks[task];

	if (is_full(t->n_threads)) {
		struct frozen_thread *threads = reallocarray(
			t->threads, t->n_threads ? 2 * t->n_threads : 1, sizeof(*threads));

		if (!threads)
			return err_oom(err);
		t->threads = threads;
	}
	if (slot_put(f, host_tid, task, t->n_threads) < 0)
		return err_oom(err);
	t->threads[t->n_threads++] = (struct frozen_thread){ .host_tid = host_tid };
	return 0;
}

void freeze_compact(struct freeze *f)
{
	size_t n_tasks = 0;

	for (size_t i = 0; i < f->n_tasks; i++) {
		struct frozen_task *t = &f->tasks[i];
		size_t n = 0;

		for (size_t j = 0; j < t->n_threads; j++) {
			if (!t->threads[j].gone)
				t->threads[n++] = t->threads[j];
		}
		t->n_threads = n;
		if (n == 0) {
			free(take_ptr(&t->threads));
			if (!t->zombie)
				continue;
		}
		f->tasks[n_tasks++] = *t;
	}
	f->n_tasks = n_tasks;
	/* The table speaks of places that have moved. */
	free(take_ptr(&f->table));
	f->table_size = 0;
	f->table_used = 0;
}

static size_t depth_of(const struct freeze *f, size_t i, size_t *depths)
{
	const struct freeze_slot *parent;
	size_t steps = 0;
	size_t at = i;
	size_t depth;

	/* Up to the first whose depth is known, then down again along the same way. */
	while (!depths[at]) {
		parent = freeze_slot_of(f, f->tasks[at].host_ppid);
		if (at == 0 || !parent || parent->task == at || steps > f->n_tasks) {
			depths[at] = 1;
			break;
		}
		at = parent->task;
		steps++;
	}
	depth = depths[at] + steps;
	for (at = i; steps > 0; steps--) {
		depths[at] = depth--;
		at = freeze_slot_of(f, f->tasks[at].host_ppid)->task;
	}
	return depths[i];
}

struct ranked {
	size_t depth;
	size_t order;
	struct frozen_task task;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a;
	const struct ranked *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

int freeze_sort(struct freeze *f, struct error *err)
{
	cleanup_free struct ranked *ranked = NULL;
	cleanup_free size_t *depths = NULL;

	freeze_compact(f);
	for (size_t i = 0; i < f->n_tasks; i++) {
		if (slot_put(f, f->tasks[i].host_pid, i, 0) < 0)
			return err_oom(err);
	}
	depths = calloc(f->n_tasks + 1, sizeof(*depths));
	ranked = calloc(f->n_tasks + 1, sizeof(*ranked));
	if (!depths || !ranked)
		return err_oom(err);
	for (size_t i = 0; i < f->n_tasks; i++)
		ranked[i] = (struct ranked){ depth_of(f, i, depths), i, f->tasks[i] };
	qsort(ranked, f->n_tasks, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < f->n_tasks; i++)
		f->tasks[i] = ranked[i].task;
	for (size_t i = 0; i < f->n_tasks; i++) {
		if (slot_put(f, f->tasks[i].host_pid, i, 0) < 0)
			return err_oom(err);
	}
	return 0;
}
