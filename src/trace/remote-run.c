/*
 * remote-run: letting a thread run until something of interest happens.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "trace/child-wait.h"
#include "trace/freeze-priv.h"
#include "trace/regs.h"
#include "trace/remote-priv.h"
#include "trace/slot.h"

#define STOP_TIMEOUT_NS (10 * NS_PER_SEC)
#define SLEEP_NS NS_PER_MS

enum stop_kind {
	STOP_OURS,    /* the signal the thread calls us with */
	STOP_SYSCALL, /* entry or exit of a system call */
	STOP_TRAP,    /* PTRACE_EVENT_STOP */
};

/* 1: it has stopped. The stop's code is left in place (freeze-stop.c says why). */
static int look_stop(struct remote *remote, int *ret_status, struct error *err)
{
	siginfo_t si = { 0 };

	if (waitid(P_PID, (id_t)remote->host_tid, &si,
		   WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0 &&
	    errno != EINTR)
		return err_set(err, -ESRCH, "thread %d has gone", (int)remote->host_tid);
	if (!si.si_pid)
		return 0;
	if (si.si_code != CLD_TRAPPED && si.si_code != CLD_STOPPED)
		return err_set(err, -ESRCH, "thread %d has died", (int)remote->host_tid);
	remote->n_stops++;
	*ret_status = si.si_status;
	return 1;
}

/* Waits for the next stop. */
static int wait_stop(struct remote *remote, int *ret_status, struct error *err)
{
	cleanup_child_wait struct child_wait wait;
	uint64_t deadline;
	int r = look_stop(remote, ret_status, err);

	if (r)
		return r < 0 ? r : 0;
	deadline = clock_mono_ns() + STOP_TIMEOUT_NS;
	child_wait_begin(&wait);
	for (;;) {
		r = look_stop(remote, ret_status, err);
		if (r)
			return r < 0 ? r : 0;
		if (clock_mono_ns() > deadline)
			return err_set(err, -ETIMEDOUT, "thread %d does not come back",
				       (int)remote->host_tid);
		child_wait_sleep(&wait, SLEEP_NS);
	}
}

/*
 * The thread stands right behind its call to us. Asked by position and not by
 * siginfo: were a copy from another pending at that moment, ours would have
 * been merged into it.
 */
static bool is_at_call(const struct remote *remote, const struct user_regs_struct *regs)
{
	return regs->orig_rax == SYS_tgkill && (int)regs->rdx == remote->signal &&
	       (regs->rip - remote->slot.v < SLOT_LEN ||
		(remote->area.v && regs->rip - remote->area.v < remote->area_size));
}

static bool is_ours(struct remote *remote, int signal)
{
	return remote->signal && signal == remote->signal &&
	       regs_get(remote->host_tid, &remote->at_call, NULL) == 0 &&
	       is_at_call(remote, &remote->at_call);
}

static bool is_fault(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
	       signal == SIGSYS || signal == SIGTRAP;
}

static int run(struct remote *remote, enum __ptrace_request how, int pass, struct error *err)
{
	if (ptrace(how, remote->host_tid, NULL, (long)pass) < 0)
		return err_sys(err, "thread %d: resume", (int)remote->host_tid);
	return 0;
}

/* Is that stop one that we wait for? Else it goes on with signal *ret_pass. */
static int look_at(struct remote *remote, int status, enum stop_kind *ret_kind, int *ret_pass,
		   struct error *err)
{
	int signal = status & 0x7f;

	*ret_pass = 0;
	if (status >> 8 == PTRACE_EVENT_STOP)
		*ret_kind = STOP_TRAP;
	else if (status >> 8)
		return 0;
	else if (status & 0x80)
		*ret_kind = STOP_SYSCALL;
	else if (is_ours(remote, signal))
		*ret_kind = STOP_OURS;
	else if (is_fault(signal))
		return err_set(err, -EFAULT, "thread %d got signal %d (%s) in our code",
			       (int)remote->host_tid, signal, sigabbrev_np(signal));
	else {
		if (signal != remote->signal)
			*ret_pass = signal;
		return 0;
	}
	return 1;
}

/*
 * Until something of interest happens. Stop signals (which can't be
 * blocked) are let through, their stops passed over: what they mean for the
 * task shows when it is let go. Of the one signal that is not blocked, which the
 * task ignores, copies sent by others are dropped, as the task would have.
 */
static int wait_kind(struct remote *remote, enum __ptrace_request how, enum stop_kind *ret_kind,
		     struct error *err)
{
	for (;;) {
		int status = 0;
		int pass = 0;
		int r = wait_stop(remote, &status, err);

		if (r == 0)
			r = look_at(remote, status, ret_kind, &pass, err);
		if (r)
			return r < 0 ? r : 0;
		r = run(remote, how, pass, err);
		if (r < 0)
			return r;
	}
}

static int resume(struct remote *remote, enum __ptrace_request how, enum stop_kind *ret_kind,
		  struct error *err)
{
	int r = run(remote, how, 0, err);

	return r < 0 ? r : wait_kind(remote, how, ret_kind, err);
}

int remote_to_syscall(struct remote *remote, struct error *err)
{
	enum stop_kind kind = STOP_TRAP;

	while (kind != STOP_SYSCALL) {
		int r = resume(remote, PTRACE_SYSCALL, &kind, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int watch_to_call(struct remote *remote, struct error *err)
{
	struct user_regs_struct regs;
	int r;

	for (;;) {
		r = remote_to_syscall(remote, err); /* entry */
		if (r == 0)
			r = regs_get(remote->host_tid, &regs, err);
		if (r == 0)
			r = remote_to_syscall(remote, err); /* exit */
		if (r < 0)
			return r;
		if (is_at_call(remote, &regs)) {
			remote->at_call = regs;
			return 0;
		}
	}
}

/* Watched from call to call it can't be left alone. */
int remote_go(struct remote *remote, struct error *err)
{
	return remote->signal ? run(remote, PTRACE_CONT, 0, err) : 0;
}

int remote_come(struct remote *remote, struct error *err)
{
	enum stop_kind kind = STOP_TRAP;

	if (!remote->signal)
		return watch_to_call(remote, err);
	for (;;) {
		int r = wait_kind(remote, PTRACE_CONT, &kind, err);

		if (r < 0 || kind == STOP_OURS)
			return r;
		r = remote_go(remote, err);
		if (r < 0)
			return r;
	}
}

int remote_to_call(struct remote *remote, struct error *err)
{
	int r = remote_go(remote, err);

	return r < 0 ? r : remote_come(remote, err);
}

/* From any stop to a PTRACE_EVENT_STOP, with no instruction in between. */
int remote_to_trap(struct remote *remote, struct error *err)
{
	enum stop_kind kind = STOP_OURS;

	if (ptrace(PTRACE_INTERRUPT, remote->host_tid, NULL, NULL) < 0)
		return err_sys(err, "thread %d: interrupt", (int)remote->host_tid);
	while (kind != STOP_TRAP) {
		int r = resume(remote, PTRACE_CONT, &kind, err);

		if (r < 0)
			return r;
	}
	return 0;
}
