#include "trace/freeze-guard.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Far longer than any seizing that is not in the way of an execve. */
#define TICK_NS 20000000

static int guard_signal(void)
{
	return SIGRTMAX - 1;
}

static void on_tick(int signal UNUSED, siginfo_t *si, void *context UNUSED)
{
	struct freeze_guard *guard = si->si_value.sival_ptr;

	if (si->si_code == SI_TIMER && guard->armed)
		siglongjmp(guard->escape, 1);
}

void freeze_guard_begin(struct freeze_guard *guard)
{
	const struct itimerspec ticks = { { 0, TICK_NS }, { 0, TICK_NS } };
	/* NODEFER: the jump out of the handler leaves the mask alone. */
	struct sigaction action = { .sa_sigaction = on_tick,
				    .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = guard_signal() };

	guard->armed = 0;
	guard->on = false;
	event.sigev_value.sival_ptr = guard;
	if (sigaction(guard_signal(), &action, &guard->saved) < 0)
		return;
	if (timer_create(CLOCK_MONOTONIC, &event, &guard->timer) < 0) {
		(void)sigaction(guard_signal(), &guard->saved, NULL);
		return;
	}
	guard->on = timer_settime(guard->timer, 0, &ticks, NULL) == 0;
	if (!guard->on) {
		(void)timer_delete(guard->timer);
		(void)sigaction(guard_signal(), &guard->saved, NULL);
	}
}

void freeze_guard_end(struct freeze_guard *guard)
{
	int saved = errno;

	if (!guard->on)
		return;
	guard->on = false;
	(void)timer_delete(guard->timer); /* a tick that is pending goes with it */
	(void)sigaction(guard_signal(), &guard->saved, NULL);
	errno = saved;
}

int freeze_guard_seize(struct freeze_guard *guard, pid_t host_tid, long options)
{
	long r;

	if (sigsetjmp(guard->escape, 0)) {
		guard->armed = 0;
		return -EBUSY;
	}
	guard->armed = 1;
	r = ptrace(PTRACE_SEIZE, host_tid, NULL, options);
	guard->armed = 0;
	return r < 0 ? -errno : 0;
}
