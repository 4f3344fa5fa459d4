/*
 * taken: whether the process numbers of the tree are free.
 *
 * A number is in use as long as a process, a thread, a group or a session has
 * it (kernel/pid.c): that of a task which a dump has just killed is so until
 * its parent, often init, has asked how it ended, and until that has happened
 * to the last member of the group or session it led. Some take a second for
 * that; they are waited for. Orphans that still live may be about to end, and
 * get a moment; a process that has the number itself gets none.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/proc.h"
#include "ckpt/restore-priv.h"

#define REAP_NS (5 * NS_PER_SEC)
#define ORPHAN_NS (300 * NS_PER_MS)
#define REAP_LOOK_NS (2 * NS_PER_MS)

/* Who keeps a number in use. */
struct holder {
	struct proc_stat stat;
	bool lives;
	bool is_it; /* has the number as its own, not as that of its group or session */
};

/* Signal 0 asks only whether there is somebody. A session whose groups all have other numbers
 * is not seen by that; making the process fails then. */
static bool is_free(uint32_t pid)
{
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH && kill(-(pid_t)pid, 0) < 0 &&
	       errno == ESRCH;
}

static bool holds(const struct proc_stat *stat, uint32_t pid)
{
	return (uint32_t)stat->pid == pid || (uint32_t)stat->pgrp == pid ||
	       (uint32_t)stat->session == pid;
}

/* A living one if there is any. -ESRCH: nobody, by now. */
static int find_holder(uint32_t pid, struct holder *ret, struct error *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int r = proc_processes(&pids, &n, err);
	bool found = false;

	if (r < 0)
		return r;
	*ret = (struct holder){ .lives = false };
	for (size_t i = 0; i < n && !ret->lives; i++) {
		struct proc_stat stat;

		if (proc_stat_of(pids[i], &stat, NULL) < 0 || !holds(&stat, pid))
			continue;
		found = true;
		ret->stat = stat;
		ret->is_it = (uint32_t)stat.pid == pid;
		ret->lives = stat.state != 'Z' && stat.state != 'X';
	}
	return found ? 0 : -ESRCH;
}

/* Processes are listed in /proc, threads are not, but are there when asked for. */
static bool is_thread(uint32_t tid)
{
	struct proc_stat stat;

	return proc_stat_of((pid_t)tid, &stat, NULL) == 0;
}

/* Our own dead children are for our caller to reap: they won't go by waiting. */
static bool worth_waiting(const struct holder *holder, uint64_t waited_ns)
{
	if (holder->lives)
		return !holder->is_it && waited_ns < ORPHAN_NS;
	return holder->stat.ppid != getpid() && waited_ns < REAP_NS;
}

static int tell_taken(const struct rtask *t, uint32_t id, const struct holder *holder,
		      struct error *err)
{
	int r = err_set(err, -EEXIST, "process id %u of %s is taken", id, rtask_comm(t));

	if (!holder->lives)
		err_hint(err, "process %d has ended, but its parent %d has not asked how",
			 holder->stat.pid, holder->stat.ppid);
	else if (holder->is_it)
		err_hint(err, TAKEN_HINT);
	else
		err_hint(err,
			 "process %d (%s) is in the group or session of that number; it must "
			 "end first",
			 holder->stat.pid, holder->stat.comm);
	return r;
}

/* 0: whoever holds the number may be about to be gone. */
static int look_at_holder(const struct rtask *t, uint32_t id, uint64_t waited_ns, struct error *err)
{
	struct holder holder;
	int r = find_holder(id, &holder, err);

	if (r == 0)
		return worth_waiting(&holder, waited_ns) ? 0 : tell_taken(t, id, &holder, err);
	if (r != -ESRCH)
		return r;
	if (is_thread(id))
		return err_set(err, -EEXIST, "process id %u of %s is taken by a thread", id,
			       rtask_comm(t));
	if (waited_ns < REAP_NS)
		return 0;
	return err_set(err, -EEXIST,
		       "process id %u of %s is taken by a process that /proc does not show", id,
		       rtask_comm(t));
}

static int wait_free(const struct rtask *t, uint32_t id, uint64_t begin_ns, struct error *err)
{
	const struct timespec pause = { .tv_nsec = REAP_LOOK_NS };

	while (!is_free(id)) {
		int ret = look_at_holder(t, id, clock_mono_ns() - begin_ns, err);

		if (ret < 0)
			return ret;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int taken_check(const struct restore *r, struct error *err)
{
	uint64_t begin = clock_mono_ns();
	int ret = 0;

	for (size_t i = 0; !r->new_pid_ns && i < r->n_tasks && ret >= 0; i++) {
		const struct rtask *t = r->tasks[i];

		ret = wait_free(t, t->pid, begin, err);
		for (size_t j = 1; j < t->n_threads && ret >= 0; j++)
			ret = wait_free(t, t->threads[j].tid, begin, err);
	}
	return ret;
}
