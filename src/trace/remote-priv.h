/*
 * remote-priv: between the injection itself (remote.c), its running
 * (remote-run.c), and that of further threads (remote-thread.c).
 */
#pragma once

#include "trace/remote.h"

static inline uint64_t remote_bit_of(int signal)
{
	return signal ? UINT64_C(1) << (signal - 1) : 0;
}

/* Run, under PTRACE_SYSCALL, to the next entry or exit of a system call. */
int remote_to_syscall(struct remote *remote, struct error *err);

/* Run until the thread calls us, by signal, or watched from call to call. */
int remote_to_call(struct remote *remote, struct error *err);

/* The same in two steps, between which others can be seen to. */
int remote_go(struct remote *remote, struct error *err);
int remote_come(struct remote *remote, struct error *err);

/* From any stop to a PTRACE_EVENT_STOP, with no instruction in between. */
int remote_to_trap(struct remote *remote, struct error *err);

/* One that is neither caught nor blocked, given the mask of those that are; 0: none. */
int remote_choose_signal(uint64_t taken);

int remote_check_dispatch(pid_t host_tid, struct error *err);
int remote_suspend_seccomp(struct remote *remote, struct error *err);

/* Into the code of the target; all lengths are multiples of 8. */
int remote_poke(struct remote *remote, struct raddr to, const void *from, size_t len,
		struct error *err);
