/*
 * guide-restore: tasks that M leads out of the area by ptrace.
 *
 * Three kinds of tasks can't go alone: one with seccomp filters, which may
 * forbid what the last steps need; one that must be found stopped at the very
 * place where it was dumped; and one with threads: the area is theirs together,
 * and who unmaps it has to know that no other is in it any more. M seizes them
 * before their filters are installed (seccomp is suspended for a tracer that
 * asks). When all is built,
 *	1. M stops all their threads;
 *	2. those behind the first get their registers and masks, and stay stopped;
 *	3. M releases the tree, and watches the system calls of each first thread up
 *	   to the last one of the return stub: the area is unmapped;
 *	4. there it sets the final registers, and lets all go.
 * If M dies before, they die with it.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "ckpt/regs-restore.h"
#include "ckpt/restore-priv.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif

#define UNDO_NS (10 * NS_PER_SEC)
#define STOPS_MAX 10000 /* between the release and the stub's end there are about 20 */

/* Ptrace wants the pid that M knows; the task has read its own from M's /proc. */
static int find_host_pid(const struct restore *r, struct rtask *t, struct error *err)
{
	long pid = (long)t->pid;

	if (t->host_pid)
		return 0;
	if (t->host_pid_at)
		pid = strtol((const char *)r->live + t->host_pid_at, NULL, 10);
	if (pid <= 0)
		return err_set(err, -ESRCH, "task %u (%s): no process id in our namespace", t->pid,
			       rtask_comm(t));
	t->host_pid = (pid_t)pid;
	return 0;
}

static int seize(struct rtask *t, pid_t host_tid, struct error *err)
{
	unsigned long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;

	if (seccomp_wanted(t))
		options |= PTRACE_O_SUSPEND_SECCOMP;
	if (ptrace(PTRACE_SEIZE, host_tid, NULL, options) < 0)
		return err_sys(err, "task %u (%s): seize it, to lead it out", t->pid,
			       rtask_comm(t));
	t->host_tids[t->n_host_tids++] = host_tid;
	return 0;
}

static int seize_task(const struct restore *r, struct rtask *t, struct error *err)
{
	cleanup_free pid_t *tids = NULL;
	size_t n = 0;
	int ret = find_host_pid(r, t, err);

	if (ret >= 0)
		ret = proc_threads_of(t->host_pid, &tids, &n, err);
	if (ret < 0)
		return ret;
	if (n != t->n_threads)
		return err_set(err, -ESRCH, "task %u (%s) has %zu threads instead of %zu", t->pid,
			       rtask_comm(t), n, t->n_threads);
	t->host_tids = calloc(n, sizeof(*t->host_tids));
	if (!t->host_tids)
		return err_oom(err);
	for (size_t i = 0; i < n && ret >= 0; i++)
		ret = seize(t, tids[i], err);
	return ret;
}

int guide_seize(struct restore *r, struct error *err)
{
	for (size_t i = 0; i < r->n_tasks; i++) {
		int ret = r->tasks[i]->guided ? seize_task(r, r->tasks[i], err) : 0;

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int wait_stop(const struct rtask *t, pid_t host_tid, int *ret_status, struct error *err)
{
	pid_t pid;

	do
		pid = waitpid(host_tid, ret_status, __WALL);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return err_sys(err, "task %u (%s): wait for its stop", t->pid, rtask_comm(t));
	if (!WIFSTOPPED(*ret_status))
		return err_set(err, -ESRCH, "task %u (%s) died while it was released", t->pid,
			       rtask_comm(t));
	return 0;
}

static bool is_event(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* At the last call of the stub: everything that it would still do. */
static int set_final(const struct rtask *t, const struct user_regs_struct *now, struct error *err)
{
	struct user_regs_struct regs = *now;
	const struct frame_context *c = t->threads[0].final;

	regs.rax = c->ax;
	regs.rdi = c->di;
	regs.rsi = c->si;
	regs.rdx = c->dx;
	regs.r10 = c->r10;
	regs.rcx = c->cx;
	regs.r11 = c->r11;
	regs.rip = c->ip;
	regs.orig_rax = ~0ull; /* no call to restart */
	if (ptrace(PTRACE_SETREGS, t->host_pid, NULL, &regs) < 0)
		return err_sys(err, "task %u (%s): set registers", t->pid, rtask_comm(t));
	return 0;
}

static int resume(const struct rtask *t, int how, int signal, struct error *err)
{
	if (ptrace(how, t->host_pid, NULL, (void *)(intptr_t)signal) < 0)
		return err_sys(err, "task %u (%s): resume", t->pid, rtask_comm(t));
	return 0;
}

/* From system call to system call until the stub's last one is done. */
static int lead_out(const struct rtask *t, struct error *err)
{
	int signal = 0;

	for (int i = 0; i < STOPS_MAX; i++) {
		struct user_regs_struct regs;
		int status = 0;
		int ret = resume(t, PTRACE_SYSCALL, signal, err);

		if (ret >= 0)
			ret = wait_stop(t, t->host_pid, &status, err);
		if (ret < 0)
			return ret;
		signal = 0;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
			if (!is_event(status))
				signal = WSTOPSIG(status);
			continue;
		}
		if (ptrace(PTRACE_GETREGS, t->host_pid, NULL, &regs) < 0)
			return err_sys(err, "task %u (%s): read registers", t->pid, rtask_comm(t));
		if (regs.orig_rax == SYS_rt_sigprocmask && (int64_t)regs.rax != -ENOSYS &&
		    regs.rip >= t->stub && regs.rip < t->stub + t->stub_size)
			return set_final(t, &regs, err);
	}
	return err_set(err, -EPROTO, "task %u (%s) does not leave its return stub", t->pid,
		       rtask_comm(t));
}

/*
 * Its parent may ask by which signal it was stopped. All but SIGSTOP are ignored
 * in a group that no shell looks after, and can be caught.
 */
static int stop_signal_of(const struct restore *r, const struct rtask *t)
{
	const TaskCoreEntry *tc = t->core->tc;
	int signal = tc->has_stop_signo ? (int)tc->stop_signo : SIGSTOP;

	if ((signal != SIGTSTP && signal != SIGTTIN && signal != SIGTTOU) ||
	    tc->sigactions[signal - 3]->sigaction || /* KILL and STOP have none */
	    signal_mask(&t->threads[0]) >> (signal - 1) & 1)
		return SIGSTOP;
	for (size_t i = 0; i < r->n_tasks; i++) {
		const struct rtask *x = r->tasks[i];

		if (x->pgid == t->pgid && x->parent && x->parent->sid == x->sid &&
		    x->parent->pgid != x->pgid)
			return signal;
	}
	return SIGSTOP;
}

/* Stops for good before it has run one instruction of its program. */
static int leave_stopped(const struct restore *r, const struct rtask *t, struct error *err)
{
	int stop = t->kind == RTASK_STOPPED ? stop_signal_of(r, t) : SIGSTOP;
	int signal = 0;
	int ret;

	if (syscall(SYS_tgkill, t->host_pid, t->host_pid, SIGSTOP) < 0)
		return err_sys(err, "task %u (%s): stop it", t->pid, rtask_comm(t));
	for (;;) {
		int status = 0;

		ret = resume(t, PTRACE_CONT, signal, err);
		if (ret >= 0)
			ret = wait_stop(t, t->host_pid, &status, err);
		if (ret < 0)
			return ret;
		if (is_event(status) && WSTOPSIG(status) == stop)
			return 0;
		signal = is_event(status) ? 0 : WSTOPSIG(status);
		if (signal == SIGSTOP)
			signal = stop;
	}
}

/* All threads, and all before any is waited for. */
static int stop_task(const struct rtask *t, struct error *err)
{
	for (size_t i = 0; i < t->n_host_tids; i++)
		if (ptrace(PTRACE_INTERRUPT, t->host_tids[i], NULL, NULL) < 0)
			return err_sys(err, "task %u (%s): interrupt", t->pid, rtask_comm(t));
	for (size_t i = 0; i < t->n_host_tids; i++) {
		int status = 0;
		int ret = wait_stop(t, t->host_tids[i], &status, err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Threads are listed in the order in which they were made; its stack proves which one it is. */
static bool is_at_home(const struct restore *r, const struct rthread *th, uint64_t sp)
{
	uint64_t low = restore_addr(r, th->tape->stack_at);

	return sp > low && sp <= low + th->tape->stack_size;
}

static int set_state(const struct restore *r, const struct rtask *t, const struct rthread *th,
		     pid_t host_tid, struct error *err)
{
	struct thread_state *s = th->state;
	struct iovec xstate = { s->xstate, s->xstate_size };
	struct user_regs_struct now;

	if (ptrace(PTRACE_GETREGS, host_tid, NULL, &now) < 0)
		return err_sys(err, "task %u (%s): thread %u: read registers", t->pid,
			       rtask_comm(t), th->tid);
	if (!is_at_home(r, th, now.rsp))
		return err_set(err, -EPROTO, "task %u (%s): thread %u is another one", t->pid,
			       rtask_comm(t), th->tid);
	if (ptrace(PTRACE_SETREGSET, host_tid, (void *)NT_X86_XSTATE, &xstate) < 0 ||
	    ptrace(PTRACE_SETREGS, host_tid, NULL, &s->regs) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, host_tid, sizeof(s->mask), &s->mask) < 0)
		return err_sys(err, "task %u (%s): thread %u: set registers", t->pid, rtask_comm(t),
			       th->tid);
	return 0;
}

static int set_threads(const struct restore *r, const struct rtask *t, struct error *err)
{
	int ret = 0;

	for (size_t i = 1; i < t->n_host_tids && ret >= 0; i++)
		ret = set_state(r, t, &t->threads[i], t->host_tids[i], err);
	return ret;
}

static void let_go(const struct rtask *t)
{
	for (size_t i = 0; i < t->n_host_tids; i++)
		if (ptrace(PTRACE_DETACH, t->host_tids[i], NULL, NULL) < 0 && errno != ESRCH)
			log_warn("task %u (%s): can't let go of it", t->pid, rtask_comm(t));
}

int guide_release(struct restore *r, struct error *err)
{
	for (size_t i = 0; i < r->n_tasks; i++) {
		struct rtask *t = r->tasks[i];
		int ret;

		if (!t->guided)
			continue;
		ret = stop_task(t, err);
		if (ret >= 0)
			ret = set_threads(r, t, err);
		if (ret < 0)
			return ret;
	}
	launch_store(r, r->words.released);
	/* From here on the tree lives; what fails now is a task's own death. */
	for (size_t i = 0; i < r->n_tasks; i++) {
		const struct rtask *t = r->tasks[i];
		struct error own = ERROR_INIT;
		int ret;

		if (!t->guided)
			continue;
		ret = lead_out(t, &own);
		if (ret >= 0 && (t->kind == RTASK_STOPPED || r->opts->stopped))
			ret = leave_stopped(r, t, &own);
		if (ret < 0)
			log_warn("%s", own.text);
		let_go(t);
	}
	return 0;
}

static bool reap(pid_t *host_tid)
{
	if (*host_tid && waitpid(*host_tid, NULL, __WALL | WNOHANG) == 0)
		return false;
	*host_tid = 0;
	return true;
}

/* In whatever order they end: the last of an init's threads waits for all others to be reaped. */
void guide_undo(struct restore *r)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS };
	uint64_t deadline = clock_mono_ns() + UNDO_NS;
	bool left = true;

	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->n_host_tids)
			(void)kill(r->tasks[i]->host_pid, SIGKILL);
	while (left && clock_mono_ns() < deadline) {
		left = false;
		for (size_t i = 0; i < r->n_tasks; i++)
			for (size_t j = 0; j < r->tasks[i]->n_host_tids; j++)
				left = !reap(&r->tasks[i]->host_tids[j]) || left;
		if (left)
			(void)nanosleep(&pause, NULL);
	}
}
