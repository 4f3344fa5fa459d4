/*
 * tree: the frozen tasks, numbered as they see themselves.
 */
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "img/pb/pstree.pb-c.h"

/* Only while a task is at hand: a large tree has more tasks than we may have descriptors. */
int dump_task_open(struct dump_task *task, struct error *err)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", task->host_pid); /* always fits */
	task->proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (task->proc < 0)
		return err_sys(err, "open '%s'", path);
	task->pidfd = (int)syscall(SYS_pidfd_open, task->host_pid, 0);
	if (task->pidfd < 0)
		return err_sys(err, "task %d: open a pidfd", task->host_pid);
	return 0;
}

void dump_task_close(struct dump_task *task)
{
	cleanup_fd_p(&task->proc);
	cleanup_fd_p(&task->pidfd);
	task->proc = -EBADF;
	task->pidfd = -EBADF;
}

static int collect_threads(struct dump *dump, struct dump_task *task,
			   const struct frozen_task *frozen, struct error *err)
{
	task->threads = arena_new_array(&dump->arena, struct dump_thread, frozen->n_threads);
	if (!task->threads)
		return err_oom(err);
	for (size_t i = 0; i < frozen->n_threads; i++)
		task->threads[i].host_tid = frozen->threads[i].host_tid;
	task->threads[0].ns_tid = task->ns_pid;
	task->n_threads = frozen->n_threads;
	return 0;
}

/* A session or group whose leader is outside of the task's PID namespace is number 0 in it. */
int dump_session_check(const struct cryo_dump_opts *opts, pid_t host_pid, pid_t ns_pid,
		       pid_t ns_sid, struct error *err)
{
	int r;

	if (opts->shell_job || ns_sid == ns_pid)
		return 0;
	if (ns_sid)
		r = err_set(err, -EOPNOTSUPP, "task %d: it is not a session leader (session %d)",
			    host_pid, ns_sid);
	else
		r = err_set(err, -EOPNOTSUPP,
			    "task %d: it is not a session leader (the leader is outside of its "
			    "PID namespace)",
			    host_pid);
	err_hint(err, "it was started from a shell: use --shell-job on dump and restore");
	return r;
}

/* What a descendant has in common with nobody in the tree can't be given back to it. */
static int check_session(const struct dump *dump, const struct dump_task *task, struct error *err)
{
	const struct dump_task *root = dump->tasks;
	bool sid_outside = task->ns_sid == 0 && root->ns_sid != 0;

	if (task->state == DUMP_TASK_DEAD)
		return 0;
	if (!task->parent)
		return dump_session_check(dump->opts, task->host_pid, task->ns_pid, task->ns_sid,
					  err);
	if (!sid_outside && (task->ns_pgid != 0 || root->ns_pgid == 0))
		return 0;
	return err_set(err, -EOPNOTSUPP, "task %d: its %s leader is outside of its PID namespace",
		       task->host_pid, sid_outside ? "session's" : "group's");
}

static int collect_task(struct dump *dump, struct dump_task *task, const struct frozen_task *frozen,
			struct error *err)
{
	int r;

	task->host_pid = frozen->host_pid;
	task->stop_signal = frozen->stop_signal;
	task->state = frozen->zombie	    ? DUMP_TASK_DEAD
		      : frozen->stop_signal ? DUMP_TASK_STOPPED
					    : DUMP_TASK_ALIVE;
	r = proc_stat_of(frozen->host_pid, &task->stat, err);
	if (r < 0)
		return r;
	r = proc_status_of(frozen->host_pid, &task->status, err);
	if (r < 0)
		return r;
	task->ns_pid = proc_ids_inner(&task->status.ns_pid);
	task->ns_pgid = proc_ids_inner(&task->status.ns_pgid);
	task->ns_sid = proc_ids_inner(&task->status.ns_sid);
	if (task != dump->tasks) {
		task->parent = dump_task_find(dump, frozen->host_ppid);
		if (!task->parent)
			return err_set(err, -EBUSY, "task %d: its parent %d is not in the tree",
				       frozen->host_pid, frozen->host_ppid);
	}
	if (task->state == DUMP_TASK_DEAD)
		return 0;
	return collect_threads(dump, task, frozen, err);
}

int dump_tree_collect(struct dump *dump, struct error *err)
{
	int r;

	dump->tasks = calloc(dump->freeze.n_tasks, sizeof(*dump->tasks));
	if (!dump->tasks)
		return err_oom(err);
	for (size_t i = 0; i < dump->freeze.n_tasks; i++) {
		dump->tasks[i].proc = -EBADF;
		dump->tasks[i].pidfd = -EBADF;
		dump->tasks[i].track_fd = -EBADF;
	}
	for (size_t i = 0; i < dump->freeze.n_tasks; i++) {
		dump->n_tasks = i + 1;
		r = collect_task(dump, &dump->tasks[i], &dump->freeze.tasks[i], err);
		if (r < 0)
			return r;
		r = check_session(dump, &dump->tasks[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_host_pid(const void *a, const void *b)
{
	pid_t pa = ((const struct dump_task *)a)->host_pid;
	pid_t pb = ((const struct dump_task *)b)->host_pid;

	return pa < pb ? -1 : pa > pb;
}

struct dump_task *dump_task_find(struct dump *dump, pid_t host_pid)
{
	struct dump_task wanted = { .host_pid = host_pid };
	struct dump_task **found;

	/* Tasks come one by one; those not in the tree yet are added on the first question. */
	for (; dump->n_indexed < dump->n_tasks; dump->n_indexed++) {
		struct dump_task *task = &dump->tasks[dump->n_indexed];

		if (!task->host_pid || !tsearch(task, &dump->tasks_by_pid, by_host_pid))
			break;
	}
	found = tfind(&wanted, &dump->tasks_by_pid, by_host_pid);
	return found ? *found : NULL;
}

int dump_tree_write(struct dump *dump, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int r;

	r = dump_image_create(dump, &image, IMG_KIND_PSTREE, 0, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < dump->n_tasks; i++) {
		const struct dump_task *task = &dump->tasks[i];
		PstreeEntry entry = PSTREE_ENTRY__INIT;
		size_t n = task->n_threads ? task->n_threads : 1;

		entry.pid = (uint32_t)task->ns_pid;
		entry.ppid = task->parent ? (uint32_t)task->parent->ns_pid : 0;
		entry.pgid = (uint32_t)task->ns_pgid;
		entry.sid = (uint32_t)task->ns_sid;
		entry.threads = arena_new_array(&dump->arena, uint32_t, n);
		if (!entry.threads)
			return err_oom(err);
		entry.threads[0] = (uint32_t)task->ns_pid;
		for (size_t t = 0; t < task->n_threads; t++)
			entry.threads[t] = (uint32_t)task->threads[t].ns_tid;
		entry.n_threads = n;
		log_debug("task %d: pid %u, parent %u, group %u, session %u", task->host_pid,
			  entry.pid, entry.ppid, entry.pgid, entry.sid);
		r = image_write(&image, &entry.base, err);
		if (r < 0)
			return r;
	}
	return image_finish(&image, err);
}

static void keep(void *node UNUSED)
{
}

void dump_tree_done(struct dump *dump)
{
	tdestroy(dump->tasks_by_pid, keep);
	for (size_t i = 0; i < dump->n_tasks; i++) {
		struct dump_task *task = &dump->tasks[i];

		dump_task_close(task);
		cleanup_fd_p(&task->track_fd);
		proc_status_done(&task->status);
		proc_maps_done(&task->maps);
	}
	free(dump->tasks);
	dump->tasks = NULL;
	dump->n_tasks = 0;
}
