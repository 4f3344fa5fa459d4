/*
 * verify-tasks: the tree, its threads, and what each task refers to.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "img/image.h"
#include "img/pb/core.pb-c.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/fs.pb-c.h"
#include "img/pb/pstree.pb-c.h"
#include "img/verify-priv.h"

#define TASK_DEAD 2
#define TASK_ZOMBIE 6

static void check_thread(struct verify *verify, uint32_t tid, const CoreEntry *core)
{
	const ThreadCoreEntry *thread = core->thread_core;

	if (core->mtype == CORE_ENTRY__MARCH__X86_64 && !core->thread_info)
		verify_found(verify, "core-%u.img: has no registers", tid);
	if (!thread)
		return;
	if (thread->has_seccomp_mode && thread->seccomp_mode == SECCOMP_MODE__filter &&
	    thread->has_seccomp_filter && !id_table_find(&verify->filters, thread->seccomp_filter))
		verify_found(verify, "core-%u.img: seccomp filter %u is not in seccomp.img", tid,
			     thread->seccomp_filter);
	if (thread->has_cg_set && verify->cgroup_sets.n &&
	    !id_table_find(&verify->cgroup_sets, thread->cg_set))
		verify_found(verify, "core-%u.img: cgroup set %u is not in cgroup.img", tid,
			     thread->cg_set);
}

static void check_fs(struct verify *verify, uint32_t pid, const char *who)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	const FsEntry *fs;

	arena_init(&arena, ARENA_LIMIT);
	fs = verify_need(verify, IMG_KIND_FS, pid, &arena, who);
	if (!fs || !verify->files.n)
		return;
	if (!id_table_find(&verify->files, fs->cwd_id))
		verify_found(verify, "fs-%u.img: its working folder, file %#x, is missing", pid,
			     fs->cwd_id);
	if (!id_table_find(&verify->files, fs->root_id))
		verify_found(verify, "fs-%u.img: its root folder, file %#x, is missing", pid,
			     fs->root_id);
}

static void check_descriptor(struct verify *verify, uint32_t files_id, const FdinfoEntry *fd)
{
	const struct id_row *row = id_table_find(&verify->files, fd->id);

	if (!row)
		verify_found(verify, "fdinfo-%u.img: fd %u: file %#x is missing", files_id, fd->fd,
			     fd->id);
	else if (row->what != (uint32_t)fd->type)
		verify_found(verify,
			     "fdinfo-%u.img: fd %u: says type %d, its file %#x is of type %u",
			     files_id, fd->fd, (int)fd->type, fd->id, row->what);
}

/*
 * A table without descriptors has no file: its absence proves nothing. One
 * table may belong to several tasks.
 */
static void check_descriptors(struct verify *verify, struct id_table *seen, uint32_t files_id)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	FdinfoEntry **fds = NULL;
	size_t n = 0;

	arena_init(&arena, ARENA_LIMIT);
	id_table_add(verify, seen, files_id, 0);
	if (!verify->files.n || !verify_read(verify, IMG_KIND_FDINFO, files_id, &arena, &fds, &n))
		return;
	for (size_t i = 0; i < n; i++)
		check_descriptor(verify, files_id, fds[i]);
}

/* Ids of what a task shares: a file of their own, or a part of the core in old images. */
static const TaskKobjIdsEntry *read_ids(struct verify *verify, uint32_t pid, const CoreEntry *core,
					struct arena *arena)
{
	TaskKobjIdsEntry **ids = NULL;
	size_t n = 0;

	if (verify_read(verify, IMG_KIND_IDS, pid, arena, &ids, &n) && n > 0)
		return ids[0];
	if (!core->ids)
		verify_found(verify, "ids-%u.img: is missing, and task %u needs it", pid, pid);
	return core->ids;
}

static void check_living(struct verify *verify, struct id_table *tables, uint32_t pid,
			 const CoreEntry *core, struct arena *arena)
{
	const TaskKobjIdsEntry *ids = read_ids(verify, pid, core, arena);
	char who[32];

	(void)snprintf(who, sizeof(who), "task %u", pid);
	check_fs(verify, pid, who);
	verify_memory(verify, pid);
	if (ids)
		check_descriptors(verify, tables, ids->files_id);
}

static void check_threads(struct verify *verify, const PstreeEntry *task)
{
	bool leader = false;

	for (size_t i = 0; i < task->n_threads; i++) {
		cleanup_arena struct arena arena = ARENA_INIT;
		uint32_t tid = task->threads[i];
		const CoreEntry *core;
		char who[32];

		arena_init(&arena, ARENA_LIMIT);
		leader |= tid == task->pid;
		(void)snprintf(who, sizeof(who), "task %u", task->pid);
		core = verify_need(verify, IMG_KIND_CORE, tid, &arena, who);
		if (core)
			check_thread(verify, tid, core);
	}
	verify->summary.threads += task->n_threads;
	if (!leader)
		verify_found(verify, "pstree.img: task %u: is not among its own threads",
			     task->pid);
}

/* Of a dead task only its core counts: CRIU leaves chance numbers in its list of threads. */
static void check_task(struct verify *verify, struct id_table *tables, const PstreeEntry *task)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	const CoreEntry *core;
	char who[32];

	arena_init(&arena, ARENA_LIMIT);
	verify->summary.tasks++;
	(void)snprintf(who, sizeof(who), "task %u", task->pid);
	core = verify_need(verify, IMG_KIND_CORE, task->pid, &arena, who);
	if (!core)
		return;
	if (!core->tc) {
		verify_found(verify, "core-%u.img: has nothing about the process", task->pid);
		return;
	}
	if (core->tc->task_state == TASK_DEAD || core->tc->task_state == TASK_ZOMBIE)
		return;
	check_threads(verify, task);
	check_living(verify, tables, task->pid, core, &arena);
}

static void check_tree(struct verify *verify, PstreeEntry *const *tasks, size_t n)
{
	struct id_table pids = { .rows = NULL };
	size_t roots = 0;

	for (size_t i = 0; i < n; i++)
		id_table_add(verify, &pids, tasks[i]->pid, 0);
	id_table_seal(&pids);
	for (size_t i = 1; i < pids.n; i++)
		if (pids.rows[i].id == pids.rows[i - 1].id)
			verify_found(verify, "pstree.img: task %llu: is there twice",
				     (unsigned long long)pids.rows[i].id);
	for (size_t i = 0; i < n; i++) {
		if (tasks[i]->ppid == 0 || !id_table_find(&pids, tasks[i]->ppid))
			roots++;
		if (tasks[i]->ppid != 0 && !id_table_find(&pids, tasks[i]->ppid))
			verify_found(verify, "pstree.img: task %u: its parent %u is missing",
				     tasks[i]->pid, tasks[i]->ppid);
	}
	if (n > 0 && roots == 0)
		verify_found(verify, "pstree.img: no task is the root of the others");
	id_table_done(&pids);
}

void verify_tasks(struct verify *verify)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	struct id_table tables = { .rows = NULL };
	PstreeEntry **tasks = NULL;
	size_t n = 0;

	arena_init(&arena, ARENA_LIMIT);
	if (!verify_need(verify, IMG_KIND_PSTREE, 0, &arena, "every restore") ||
	    !verify_read(verify, IMG_KIND_PSTREE, 0, &arena, &tasks, &n))
		return;
	check_tree(verify, tasks, n);
	for (size_t i = 0; i < n; i++)
		check_task(verify, &tables, tasks[i]);
	id_table_done(&tables);
}
