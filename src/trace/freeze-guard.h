/*
 * freeze-guard: a way out of PTRACE_SEIZE.
 *
 * PTRACE_SEIZE waits for the process's cred_guard_mutex. A thread in execve(2)
 * holds it until all other threads are gone; a thread that we trace is gone when
 * we have reaped it; and we are waiting in PTRACE_SEIZE. The call answers no
 * signal (it is restarted), so a timer's handler jumps out of it.
 */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct freeze_guard {
	sigjmp_buf escape;
	volatile sig_atomic_t armed; /* a PTRACE_SEIZE is under way */
	bool on;
	timer_t timer;
	struct sigaction saved;
};

/* Without a timer there is no guard, and all else works. */
void freeze_guard_begin(struct freeze_guard *guard);
void freeze_guard_end(struct freeze_guard *guard);

/* PTRACE_SEIZE: 0 or -errno; -EBUSY: it would have waited for an execve(2). */
int freeze_guard_seize(struct freeze_guard *guard, pid_t host_tid, long options);
