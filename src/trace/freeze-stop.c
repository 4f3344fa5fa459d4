/*
 * freeze-stop: bringing one thread to a PTRACE_EVENT_STOP.
 *
 * Stops are looked at with WNOWAIT. What waitid(2) consumes is the stop's code,
 * and a signal-delivery-stop whose code is gone when its tracer dies is a
 * signal lost (ptrace_signal() in the kernel takes the 0 for "cancelled").
 * Left in place, the signal is delivered.
 *
 * A vfork(2) parent sleeps in the kernel, deaf to us, until its child calls
 * execve(2) or ends. When the child was stopped first, it must run on until
 * then: it is let go as far as its PTRACE_EVENT_EXEC.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "trace/child-wait.h"
#include "trace/freeze-guard.h"
#include "trace/freeze-priv.h"
#include "trace/regs.h"

#define VFORK_LOOK_NS (2 * NS_PER_MS) /* one that has not may be a vfork parent */
#define SLEEP_NS NS_PER_MS
#define TOLD_MAX 3
#define SEIZE_TRIES 200

/* After PTRACE_SEIZE has failed with EPERM: whose is it? -EAGAIN: nobody's that can be seen. */
static int seize_refused(struct freeze *f, size_t task, pid_t host_tid, struct error *err)
{
	struct proc_status status;
	pid_t host_pid = f->tasks[task].host_pid;
	int r = proc_status_of_thread(host_pid, host_tid, &status, NULL);

	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return err_set(err, r, "task %d: seize thread %d: %s", (int)host_pid, (int)host_tid,
			       strerror(EPERM));
	proc_status_done(&status);
	if (status.tracer == getpid()) /* born of one of ours, the kernel gave it to us */
		return freeze_add_thread(f, task, host_tid, err) < 0 ? -ENOMEM : 1;
	if (status.state == 'Z' || status.state == 'X')
		return 0;
	if (status.tracer) {
		r = err_set(err, -EBUSY, "task %d: thread %d is traced by process %d already",
			    (int)host_pid, (int)host_tid, (int)status.tracer);
		err_hint(err, "detach that debugger or tracer first");
		return r;
	}
	if (status.kernel_thread)
		return err_set(err, -EOPNOTSUPP, "task %d is a kernel thread", (int)host_pid);
	r = err_set(err, -EAGAIN, "task %d: seize thread %d: %s", (int)host_pid, (int)host_tid,
		    strerror(EPERM));
	err_hint(err, "tracing needs CAP_SYS_PTRACE");
	return r;
}

/* A task or thread that the kernel attached for us while its maker was being stopped. */
static int note_newborn(struct freeze *f, pid_t host_tid, struct error *err)
{
	struct proc_status status;
	struct freeze_slot *slot;
	size_t task;
	int r;

	if (freeze_slot_of(f, host_tid))
		return 0;
	r = proc_status_of(host_tid, &status, NULL);
	if (r < 0)
		return 0; /* dead again; its maker's list of children won't name it */
	proc_status_done(&status);
	slot = freeze_slot_of(f, status.tgid);
	if (slot) {
		task = slot->task;
	} else {
		r = freeze_add_task(f, status.tgid, status.ppid, &task, err);
		if (r < 0)
			return r;
	}
	return freeze_add_thread(f, task, host_tid, err);
}

static void run_on(struct frozen_thread *t, int signal)
{
	/* First the next stop, then the resume: it gets no further than it must. ESRCH from
	 * either means that it was killed; the wait will tell. */
	if (!t->waking)
		(void)ptrace(PTRACE_INTERRUPT, t->host_tid, NULL, NULL);
	(void)ptrace(PTRACE_CONT, t->host_tid, NULL, (long)signal);
}

static void mark_gone(struct freeze *f, struct frozen_thread *t)
{
	t->gone = true;
	f->deaths = true;
}

static bool is_stop_signal(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* One report of waitid(2). 1: the thread needs no more waiting. */
static int handle_report(struct freeze *f, size_t task, size_t thread, const siginfo_t *si,
			 struct error *err)
{
	struct frozen_thread *t = &f->tasks[task].threads[thread];
	int signal = si->si_status & 0xff;
	int event = si->si_status >> 8;
	unsigned long message = 0;
	int r;

	if (si->si_code != CLD_TRAPPED && si->si_code != CLD_STOPPED) {
		/* Dead. Taking the report hands it back to its parent. */
		(void)waitpid(t->host_tid, NULL, __WALL | WNOHANG);
		mark_gone(f, t);
		return 1;
	}
	switch (event) {
	case PTRACE_EVENT_STOP:
		if (t->waking) { /* a left-over of the first interrupt */
			run_on(t, 0);
			return 0;
		}
		t->stopped = true;
		t->stop_signal = is_stop_signal(signal) ? signal : 0;
		r = regs_hide_interrupt(t->host_tid, err);
		return r == 0 || r == -ESRCH ? 1 : r;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		if (ptrace(PTRACE_GETEVENTMSG, t->host_tid, NULL, &message) == 0) {
			r = note_newborn(f, (pid_t)message, err);
			if (r < 0)
				return r;
			t = &f->tasks[task].threads[thread];
		}
		break;
	case PTRACE_EVENT_EXEC:
		/* This report has to be taken: until then the kernel thinks that we may mean the
		 * former owner of the id, and refuses all requests. It holds no signal. */
		(void)waitpid(t->host_tid, NULL, __WALL | WNOHANG);
		t->waking = false; /* its vfork parent is free now */
		break;
	case 0: /* a signal that came first is delivered as if we were not there */
		if (signal & 0x80)
			break;
		run_on(t, signal);
		return 0;
	default:
		break;
	}
	run_on(t, 0);
	return 0;
}

/* 1: settled; 0: nothing new. */
static int look(struct freeze *f, size_t task, size_t thread, struct error *err)
{
	for (;;) {
		struct frozen_thread *t = &f->tasks[task].threads[thread];
		siginfo_t si = { 0 };
		int r;

		if (waitid(P_PID, (id_t)t->host_tid, &si,
			   WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0) {
			if (errno == EINTR)
				continue;
			if (errno != ECHILD)
				return err_sys(err, "wait for thread %d", (int)t->host_tid);
			mark_gone(f, t); /* another thread has called execve(2) */
			return 1;
		}
		if (si.si_pid == 0)
			return 0;
		r = handle_report(f, task, thread, &si, err);
		if (r != 0)
			return r;
	}
}

static char state_of(pid_t host_pid, pid_t host_tid)
{
	struct proc_stat stat;

	return proc_stat_of_thread(host_pid, host_tid, &stat, NULL) < 0 ? 'X' : stat.state;
}

static bool shares_memory(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}

/*
 * The child whose execve(2) or end a thread in vfork(2) waits for, or 0. It may
 * be unknown to us: children are listed when their parent has stopped.
 */
static pid_t vfork_child(pid_t host_pid)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;

	if (proc_children_of(host_pid, &pids, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (shares_memory(host_pid, pids[i]))
			return pids[i];
	}
	return 0;
}

/* Lets it run on, if it is we who hold it. */
static void wake_vfork_child(struct freeze *f, pid_t host_pid)
{
	pid_t child = vfork_child(host_pid);
	struct freeze_slot *slot = child ? freeze_slot_of(f, child) : NULL;
	struct frozen_thread *c;

	if (!slot || f->tasks[slot->task].n_threads == 0)
		return;
	c = &f->tasks[slot->task].threads[0];
	if (!c->stopped)
		return;
	log_debug("task %d waits in vfork, its child %d runs on to its execve", (int)host_pid,
		  (int)child);
	c->stopped = false;
	c->waking = true;
	run_on(c, 0);
}

#define EXEC_NS (NS_PER_SEC / 2) /* how long another thread may take to become the leader */

/* A leader that has called pthread_exit(3) is a zombie while its threads live: it never stops. It
 * is one for a moment, too, when another thread calls execve(2) and takes its place. */
static int check_unstopped(struct freeze *f, size_t task, size_t thread, struct error *err)
{
	struct frozen_task *t = &f->tasks[task];
	pid_t host_tid = t->threads[thread].host_tid;
	char state = state_of(t->host_pid, host_tid);

	if (host_tid == t->host_pid && state != 'Z')
		t->leaderless_ns = 0;
	if (state == 'Z' && host_tid == t->host_pid && t->n_threads > 1) {
		size_t alive = 0;

		for (size_t i = 1; i < t->n_threads; i++)
			alive += !t->threads[i].gone;
		if (alive && !t->leaderless_ns)
			t->leaderless_ns = clock_mono_ns();
		if (alive && clock_mono_ns() - t->leaderless_ns > EXEC_NS)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its first thread has ended, others go on",
				       (int)t->host_pid);
		return 0;
	}
	/* Not ours any more, though somebody lives under that id: a thread that we did not have yet
	 * has called execve(2). (Were it no child of ours, waitid(2) would have said so.) */
	if (!t->threads[thread].waking && ptrace(PTRACE_INTERRUPT, host_tid, NULL, NULL) < 0 &&
	    errno == ESRCH) {
		mark_gone(f, &t->threads[thread]);
		return 1;
	}
	if (state != 'D')
		return 0;
	wake_vfork_child(f, t->host_pid);
	return 0;
}

static void tell_unstopped(const struct freeze *f, size_t task, size_t thread, struct buf *out)
{
	const struct frozen_task *t = &f->tasks[task];
	pid_t host_tid = t->threads[thread].host_tid;
	char state = state_of(t->host_pid, host_tid);
	pid_t child = state == 'D' ? vfork_child(t->host_pid) : 0;
	struct proc_stat stat = { .comm = "?" };

	(void)proc_stat_of_thread(t->host_pid, host_tid, &stat, NULL); /* "?" if it is gone */
	buf_addf(out, "%sthread %d ('%s') ", out->len ? ", " : "", (int)host_tid, stat.comm);
	if (child)
		buf_addf(out, "waits in vfork for task %d, which has not called execve",
			 (int)child);
	else if (state == 'D')
		buf_adds(out, "is in an uninterruptible sleep");
	else
		buf_addf(out, "is in state %c", state);
}

static int timed_out(const struct freeze *f, struct error *err)
{
	cleanup_buf struct buf names = BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < f->n_tasks; i++) {
		for (size_t j = 0; j < f->tasks[i].n_threads; j++) {
			const struct frozen_thread *t = &f->tasks[i].threads[j];

			if (t->stopped || t->gone || t->waking)
				continue;
			if (n++ < TOLD_MAX)
				tell_unstopped(f, i, j, &names);
		}
	}
	return err_set(err, -ETIMEDOUT, "%zu thread%s did not stop: %s%s", n, n == 1 ? "" : "s",
		       buf_str(&names), n > TOLD_MAX ? ", ..." : "");
}

/* One look at all that are not settled; the number that are still not. */
static int look_at_all(struct freeze *f, bool check, struct error *err)
{
	int open = 0;

	/* Newborns are appended while we walk. */
	for (size_t i = 0; i < f->n_tasks; i++) {
		for (size_t j = 0; j < f->tasks[i].n_threads; j++) {
			struct frozen_thread *t = &f->tasks[i].threads[j];
			int r;

			if (t->stopped || t->gone)
				continue;
			r = look(f, i, j, err);
			if (r == 0 && check)
				r = check_unstopped(f, i, j, err);
			if (r < 0)
				return r;
			if (r == 0)
				open++;
		}
	}
	return open;
}

/*
 * In order, one after the other: while we wait for the first, the others stop as
 * well, so that all are looked at about once. Who does not stop may wait for
 * one behind it; so now and then all are looked at.
 */
int freeze_wait_all(struct freeze *f, uint64_t deadline_ns, struct error *err)
{
	cleanup_child_wait struct child_wait wait;
	uint64_t next_check = clock_mono_ns() + VFORK_LOOK_NS;
	size_t task = 0;
	size_t thread = 0;

	child_wait_begin(&wait);
	for (;;) {
		uint64_t now;
		int r;

		if (task == f->n_tasks) {
			/* Threads that were born meanwhile may stand further in front. */
			r = look_at_all(f, false, err);
			if (r <= 0)
				return r;
			task = thread = 0;
		}
		if (thread == f->tasks[task].n_threads) {
			task++;
			thread = 0;
			continue;
		}
		r = 1;
		if (!f->tasks[task].threads[thread].stopped && !f->tasks[task].threads[thread].gone)
			r = look(f, task, thread, err);
		if (r < 0)
			return r;
		if (r > 0) {
			thread++;
			continue;
		}
		now = clock_mono_ns();
		if (now >= deadline_ns)
			return timed_out(f, err);
		if (now >= next_check) {
			r = look_at_all(f, true, err);
			if (r < 0)
				return r;
			next_check = now + VFORK_LOOK_NS;
		}
		child_wait_sleep(&wait, SLEEP_NS);
	}
}

/*
 * When a thread calls execve(2), the first thread dies and the caller takes its
 * id: for a moment there is a dead task under an id that lives on. So a refusal
 * without a reason is asked again. And the execve waits for us to reap the
 * threads that it has killed.
 */
static int seize(struct freeze *f, size_t task, pid_t host_tid, struct error *err)
{
	unsigned int tries = 0;
	int r;

	for (;;) {
		r = freeze_guard_seize(f->guard, host_tid, FREEZE_PTRACE_OPTIONS);
		if (r == 0)
			return 2;
		if (r == -ESRCH)
			return 0;
		if (r != -EPERM && r != -EBUSY)
			return err_set(err, r, "task %d: seize thread %d: %s",
				       (int)f->tasks[task].host_pid, (int)host_tid, strerror(-r));
		if (r == -EPERM) {
			r = seize_refused(f, task, host_tid, err);
			if (r != -EAGAIN)
				return r;
			if (++tries == SEIZE_TRIES)
				break;
		} else if (clock_mono_ns() > f->deadline_ns) {
			return err_set(err, -ETIMEDOUT, "task %d does not get through execve",
				       (int)f->tasks[task].host_pid);
		}
		r = look_at_all(f, false, err);
		if (r < 0)
			return r;
		(void)sched_yield();
	}
	if (err)
		err->code = -EPERM;
	return -EPERM;
}

int freeze_seize(struct freeze *f, size_t task, pid_t host_tid, struct error *err)
{
	int r = seize(f, task, host_tid, err);

	if (r < 2) /* failed, dead, or ours already */
		return r;
	r = freeze_add_thread(f, task, host_tid, err);
	if (r < 0) {
		/* Not in the list, so nobody would let it go. */
		(void)ptrace(PTRACE_INTERRUPT, host_tid, NULL, NULL);
		(void)waitpid(host_tid, NULL, __WALL);
		(void)ptrace(PTRACE_DETACH, host_tid, NULL, NULL);
		return r;
	}
	(void)ptrace(PTRACE_INTERRUPT, host_tid, NULL, NULL); /* ESRCH: the wait will tell */
	return 1;
}
