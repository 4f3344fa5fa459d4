/*
 * regs: the state of a stopped thread that ptrace can see and set.
 *
 * All functions need the thread in a ptrace stop of the calling thread.
 * -ESRCH: it is gone, or not stopped.
 */
#pragma once

#include <linux/filter.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct error;

/* General registers. -EOPNOTSUPP: the thread runs 32-bit code just now. */
int regs_get(pid_t host_tid, struct user_regs_struct *ret_regs, struct error *err);
int regs_set(pid_t host_tid, const struct user_regs_struct *regs, struct error *err);

/* The XSAVE area in the CPU's non-compacted layout; the caller's to free. */
int regs_get_xstate(pid_t host_tid, void **ret_xstate, size_t *ret_len, struct error *err);
int regs_set_xstate(pid_t host_tid, const void *xstate, size_t len, struct error *err);

/* Blocked signals; bit n-1 is signal n. */
int regs_get_sigmask(pid_t host_tid, uint64_t *ret_mask, struct error *err);
int regs_set_sigmask(pid_t host_tid, uint64_t mask, struct error *err);

/* Queued signals of the thread, or those shared by its process; nothing is removed.
 * The array is the caller's; NULL and 0 if there are none. */
int regs_get_sigqueue(pid_t host_tid, bool shared, siginfo_t **ret_infos, size_t *ret_n,
		      struct error *err);

struct regs_rseq {
	uint64_t addr; /* 0: none registered */
	uint32_t len;
	uint32_t signature;
	uint32_t flags;
};

/* -EOPNOTSUPP: this kernel can't tell (before 5.13). */
int regs_get_rseq(pid_t host_tid, struct regs_rseq *ret_rseq, struct error *err);

/* Head of the list of robust futexes. No ptrace stop needed. */
int regs_get_robust_list(pid_t host_tid, uint64_t *ret_head, uint64_t *ret_len, struct error *err);

struct regs_filter {
	struct sock_filter *insns; /* owned */
	size_t n;
	uint64_t flags; /* SECCOMP_FILTER_FLAG_LOG or 0 */
};

/*
 * One of the thread's seccomp filters; 0 is the one installed last. 1: there it
 * is; 0: no more. Needs CAP_SYS_ADMIN and a tracer without seccomp (-EACCES).
 */
int regs_get_seccomp_filter(pid_t host_tid, size_t index, struct regs_filter *ret_filter,
			    struct error *err);
void regs_filter_done(struct regs_filter *filter);

/*
 * Some system calls (epoll_wait, semop, sigtimedwait, sockets with timeouts)
 * answer every interruption with EINTR, a mere ptrace stop included. For a
 * thread that was stopped in one, the kernel is told to treat it like the
 * others: restart unless a signal handler runs first.
 */
int regs_hide_interrupt(pid_t host_tid, struct error *err);

/* What the registers of a thread stopped in or before a system call will do when it
 * goes on: the kernel's restart rule applied (signal-free). `regs` becomes a state
 * that any means can load, since it no longer depends on orig_rax. */
void regs_resolve_restart(struct user_regs_struct *regs);
