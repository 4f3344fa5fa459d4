/*
 * freeze: see freeze.h.
 *
 * Nothing may escape, and nothing is looked at twice:
 *
 * 1. A thread is seized, interrupted and waited for. What it makes from the
 *    seizing on is attached by the kernel and reported by its maker's event.
 * 2. A fork that had begun before the seizing is neither; but it has ended
 *    when the maker has stopped. So children and threads are listed after
 *    the stop, once per thread, until a round finds nothing new.
 * 3. A thread that is still on its way out of a dump that was killed runs on
 *    until it is where it belongs, and may make others on the way.
 * 4. A parent that dies unseen hands its children to a reaper, perhaps one
 *    that was listed already. So after any death all are listed again.
 */
#include "trace/freeze.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "trace/child-wait.h"
#include "trace/freeze-guard.h"
#include "trace/freeze-priv.h"

#define TIMEOUT_DEFAULT_MS 10000
#define EXEC_TRIES 200
#define KILL_TIMEOUT_NS (30 * NS_PER_SEC)

static bool is_known(const struct freeze *f, pid_t host_tid)
{
	const struct freeze_slot *slot = freeze_slot_of(f, host_tid);

	return slot && f->tasks[slot->task].n_threads > slot->thread &&
	       f->tasks[slot->task].threads[slot->thread].host_tid == host_tid &&
	       !f->tasks[slot->task].threads[slot->thread].gone;
}

static size_t n_alive(const struct frozen_task *task)
{
	size_t n = 0;

	for (size_t i = 0; i < task->n_threads; i++)
		n += !task->threads[i].gone;
	return n;
}

/* Seizes threads we don't know yet; the number of them, or -errno. */
static int seize_threads(struct freeze *f, size_t task, struct error *err)
{
	cleanup_free pid_t *tids = NULL;
	size_t n = 0;
	int found = 0;
	int r;

	r = proc_threads_of(f->tasks[task].host_pid, &tids, &n, err);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (is_known(f, tids[i]))
			continue;
		r = freeze_seize(f, task, tids[i], err);
		if (r < 0)
			return r;
		found += r;
	}
	return found;
}

static bool is_alive(pid_t host_pid)
{
	struct proc_stat stat;

	return proc_stat_of(host_pid, &stat, NULL) == 0 && stat.state != 'Z' && stat.state != 'X';
}

/* A new task of the list: alive, a zombie, or gone again. */
static int take_task(struct freeze *f, pid_t host_pid, pid_t host_ppid, struct error *err)
{
	struct proc_stat stat;
	size_t task;
	int r;

	if (host_pid == getpid())
		return err_set(err, -EINVAL, "the tree contains this very process, %d",
			       (int)host_pid);
	r = freeze_add_task(f, host_pid, host_ppid, &task, err);
	if (r < 0)
		return r;
	/* More than one thread and none to be had: it is in the middle of an execve(2). */
	for (unsigned int i = 0; i < EXEC_TRIES; i++) {
		int n = proc_count_threads(host_pid);

		if (n == 1)
			r = freeze_seize(f, task, host_pid, err);
		else
			r = seize_threads(f, task, err);
		if (r < 0)
			return r;
		if (r > 0)
			return 1;
		if (n <= 1 && proc_count_threads(host_pid) <= 1 && !is_alive(host_pid))
			break;
		(void)sched_yield();
	}
	/* Nothing to seize: dead. Still there: its parent has not reaped it. */
	if (proc_stat_of(host_pid, &stat, NULL) == 0 && stat.state == 'Z')
		f->tasks[task].zombie = true;
	f->deaths = true;
	return 1;
}

static int take_children_of_thread(struct freeze *f, pid_t host_pid, pid_t host_tid,
				   struct error *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int found = 0;
	int r;

	r = proc_children_of_thread(host_pid, host_tid, &pids, &n, err);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (freeze_slot_of(f, pids[i]))
			continue;
		r = take_task(f, pids[i], host_pid, err);
		if (r < 0)
			return r;
		found += r;
	}
	return found;
}

/* Of a task that has stopped: threads that were born before, then children; the number found. */
static int extend_task(struct freeze *f, size_t task, bool again, struct error *err)
{
	pid_t host_pid = f->tasks[task].host_pid;
	int found = 0;
	int r;

	if (f->tasks[task].zombie || !f->tasks[task].n_threads)
		return 0;
	if (proc_count_threads(host_pid) != (int)n_alive(&f->tasks[task])) {
		found = seize_threads(f, task, err);
		if (found != 0)
			return found; /* they have to stop first */
	}
	for (size_t i = 0; i < f->tasks[task].n_threads; i++) {
		struct frozen_thread *t = &f->tasks[task].threads[i];

		if (t->gone || (t->looked && !again))
			continue;
		t->looked = true;
		r = take_children_of_thread(f, host_pid, t->host_tid, err);
		if (r < 0)
			return r;
		found += r;
	}
	return found;
}

/*
 * A thread that had stopped may be gone by now: another one that had not has
 * called execve(2), which kills all others, and has taken its place and its id.
 * The number of those that have to be waited for again.
 */
static int verify_stopped(struct freeze *f)
{
	int n = 0;

	for (size_t i = 0; i < f->n_tasks; i++) {
		for (size_t j = 0; j < f->tasks[i].n_threads; j++) {
			struct frozen_thread *t = &f->tasks[i].threads[j];
			unsigned long message;

			if (t->gone || !t->stopped ||
			    ptrace(PTRACE_GETEVENTMSG, t->host_tid, NULL, &message) == 0)
				continue;
			t->stopped = false;
			t->looked = false;
			n++;
		}
	}
	return n;
}

static int stop_tree(struct freeze *f, struct error *err)
{
	struct proc_stat stat;
	int r;

	r = proc_stat_of(f->host_root, &stat, NULL);
	if (r == -ESRCH)
		return err_set(err, -ESRCH, "no process %d", (int)f->host_root);
	if (r < 0)
		return err_set(err, r, "read the state of process %d: %s", (int)f->host_root,
			       strerror(-r));
	r = take_task(f, f->host_root, stat.ppid, err);
	if (r < 0)
		return r;
	if (f->n_tasks == 0 || f->tasks[0].n_threads == 0)
		return err_set(err, -ESRCH, "no process %d, or it is dead", (int)f->host_root);
	for (;;) {
		bool again = f->deaths;
		int found = 0;

		r = freeze_wait_all(f, f->deadline_ns, err);
		if (r < 0)
			return r;
		again = again || f->deaths;
		f->moved = f->moved || again;
		f->deaths = false;
		for (size_t i = 0; i < f->n_tasks; i++) {
			r = freeze_let_home(f, i, err);
			if (r == 0)
				r = extend_task(f, i, again, err);
			if (r < 0)
				return r;
			found += r;
		}
		if (!found && !f->deaths && !verify_stopped(f))
			return 0;
	}
}

/* Tasks that died on the way may be zombies now; parents may have changed. */
static int settle(struct freeze *f, struct error *err)
{
	for (size_t i = 0; f->moved && i < f->n_tasks; i++) {
		struct frozen_task *t = &f->tasks[i];
		struct proc_stat stat;

		if (proc_stat_of(t->host_pid, &stat, NULL) < 0)
			stat = (struct proc_stat){ .state = 'X' };
		t->host_ppid = stat.ppid;
		t->zombie = n_alive(t) == 0 && stat.state == 'Z';
	}
	if (freeze_sort(f, err) < 0)
		return -ENOMEM;
	if (f->n_tasks == 0 || f->tasks[0].host_pid != f->host_root || f->tasks[0].zombie)
		return err_set(err, -ESRCH, "process %d has ended", (int)f->host_root);
	for (size_t i = 0; i < f->n_tasks; i++) {
		struct frozen_task *t = &f->tasks[i];

		if (t->zombie)
			continue;
		if (t->threads[0].host_tid != t->host_pid)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its first thread has ended, others go on",
				       (int)t->host_pid);
		t->stop_signal = t->threads[0].stop_signal;
	}
	return 0;
}

int freeze_begin(struct freeze *f, pid_t host_root, unsigned int timeout_ms, struct error *err)
{
	struct freeze_guard guard;
	int r;

	*f = (struct freeze)FREEZE_INIT;
	if (host_root <= 0)
		return err_set(err, -EINVAL, "%d is no process id", (int)host_root);
	f->host_root = host_root;
	f->began_ns = clock_mono_ns();
	f->active = true;
	f->deadline_ns = f->began_ns + (timeout_ms ? timeout_ms : TIMEOUT_DEFAULT_MS) * NS_PER_MS;
	f->guard = &guard;
	freeze_guard_begin(&guard);
	r = stop_tree(f, err);
	freeze_guard_end(&guard);
	f->guard = NULL;
	if (r == 0)
		r = settle(f, err);
	if (r < 0) {
		freeze_done(f);
		return r;
	}
	f->frozen_ns = clock_mono_ns();
	log_debug("froze %zu tasks below %d in %" PRIu64 " us", f->n_tasks, (int)host_root,
		  (f->frozen_ns - f->began_ns) / NS_PER_US);
	return 0;
}

/*
 * Lets a thread go. One that has not come to its stop yet (we gave up on it)
 * gets a last, short chance: what can't be detached stays ours until we end.
 */
static int detach(const struct frozen_thread *t)
{
	for (unsigned int tries = 0; tries < 100; tries++) {
		siginfo_t si = { 0 };
		int signal = 0;

		if (!t->stopped) {
			if (waitid(P_PID, (id_t)t->host_tid, &si,
				   WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0)
				return -errno;
			if (si.si_pid && si.si_code != CLD_TRAPPED && si.si_code != CLD_STOPPED) {
				(void)waitpid(t->host_tid, NULL, __WALL | WNOHANG);
				return -ESRCH;
			}
			if (si.si_pid && si.si_status >> 8 == 0 && !(si.si_status & 0x80))
				signal = si.si_status; /* it was about to get this one */
			if (si.si_pid && si.si_status >> 8 == PTRACE_EVENT_EXEC)
				(void)waitpid(t->host_tid, NULL, __WALL | WNOHANG);
		}
		if (ptrace(PTRACE_DETACH, t->host_tid, NULL, (long)signal) == 0)
			return 0;
		if (t->stopped || errno != ESRCH)
			return -errno;
		(void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return -EBUSY;
}

static void forget(struct freeze *f)
{
	for (size_t i = 0; i < f->n_tasks; i++)
		free(f->tasks[i].threads);
	free(f->tasks);
	free(f->table);
	*f = (struct freeze)FREEZE_INIT;
}

/* Detaches all; the first failure is told, the others go on all the same. */
static int detach_all(struct freeze *f, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < f->n_tasks; i++) {
		for (size_t j = 0; j < f->tasks[i].n_threads; j++) {
			const struct frozen_thread *t = &f->tasks[i].threads[j];
			int r;

			if (t->gone)
				continue;
			r = detach(t);
			if (r == 0 || result < 0)
				continue;
			if (r == -ECHILD)
				r = -ESRCH;
			result = err_set(err, r, "task %d: let go of thread %d: %s",
					 (int)f->tasks[i].host_pid, (int)t->host_tid, strerror(-r));
		}
	}
	f->active = false;
	return result;
}

int freeze_thaw(struct freeze *f, struct error *err)
{
	int r = detach_all(f, err);

	forget(f);
	return r;
}

int freeze_leave_stopped(struct freeze *f, struct error *err)
{
	int result = 0;
	int r;

	for (size_t i = 0; i < f->n_tasks; i++) {
		const struct frozen_task *t = &f->tasks[i];

		if (t->zombie || t->stop_signal)
			continue;
		if (kill(t->host_pid, SIGSTOP) < 0 && result == 0)
			result = err_sys(err, "stop task %d", (int)t->host_pid);
	}
	r = detach_all(f, result < 0 ? NULL : err);
	forget(f);
	return result < 0 ? result : r;
}

/* Has it ended? That is seen by its tracer first; then its parent, if that is not us, is told. */
static bool reap(struct frozen_thread *t)
{
	int status = 0;
	pid_t pid;

	if (t->gone)
		return true;
	do
		pid = waitpid(t->host_tid, &status, __WALL | WNOHANG);
	while (pid < 0 && errno == EINTR);
	/* Dead, or (ECHILD) no longer ours. */
	t->gone = pid < 0 || (pid == t->host_tid && !WIFSTOPPED(status));
	return t->gone;
}

static size_t reap_task(struct frozen_task *task)
{
	size_t left = 0;

	for (size_t j = task->n_threads; j-- > 0;)
		left += !reap(&task->threads[j]);
	return left;
}

#define CROWD 64 /* so many are not looked through at each SIGCHLD */

/*
 * In whatever order they end: a leader's end is not reported while a thread is
 * left, and the thread of a namespace's init that is the last to end waits for all
 * others to be reaped, be they its own siblings.
 */
static int reap_all(struct freeze *f, struct error *err)
{
	cleanup_child_wait struct child_wait wait;
	uint64_t deadline = clock_mono_ns() + KILL_TIMEOUT_NS;
	const struct timespec pause = { .tv_nsec = NS_PER_MS };

	child_wait_begin(&wait);
	for (;;) {
		const struct frozen_task *late = NULL;
		size_t left = 0;

		for (size_t i = f->n_tasks; i-- > 0;) {
			size_t n = reap_task(&f->tasks[i]);

			if (n && !late)
				late = &f->tasks[i];
			left += n;
		}
		if (!late)
			return 0;
		if (clock_mono_ns() >= deadline)
			return err_set(err, -ETIMEDOUT, "task %d does not die",
				       (int)late->host_pid);
		if (left > CROWD)
			(void)nanosleep(&pause, NULL);
		else
			child_wait_sleep(&wait, NS_PER_MS);
	}
}

int freeze_kill(struct freeze *f, uint64_t *ret_sent_ns, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < f->n_tasks; i++) {
		if (f->tasks[i].zombie)
			continue;
		if (kill(f->tasks[i].host_pid, SIGKILL) < 0 && errno != ESRCH && result == 0)
			result = err_sys(err, "kill task %d", (int)f->tasks[i].host_pid);
	}
	if (ret_sent_ns)
		*ret_sent_ns = clock_mono_ns();
	if (result == 0)
		result = reap_all(f, err);
	/* Orphans have come to us if we are their subreaper; all others are no longer ours. */
	for (size_t i = 0; i < f->n_tasks; i++)
		(void)waitpid(f->tasks[i].host_pid, NULL, __WALL | WNOHANG);
	forget(f);
	return result;
}

void freeze_done(struct freeze *f)
{
	struct error torn = ERROR_INIT;

	if (f->active && detach_all(f, &torn) < 0 && torn.code != -ESRCH)
		log_warn("%s: it stays stopped until this process ends", torn.text);
	forget(f);
}

struct frozen_task *freeze_find(struct freeze *f, pid_t host_pid)
{
	struct freeze_slot *slot = freeze_slot_of(f, host_pid);

	if (!slot || f->tasks[slot->task].host_pid != host_pid)
		return NULL;
	return &f->tasks[slot->task];
}
