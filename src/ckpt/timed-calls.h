/*
 * timed-calls: system calls that wait for a time and were interrupted.
 *
 * Such a call (nanosleep, poll, futex with a timeout) has put aside what is left
 * of it in a place only the kernel sees, and told the world to go on with
 * restart_syscall(2). What it put aside is lost with the task, so on restore
 * the call starts anew, with the arguments it had: it may end late, never
 * early, and never with an EINTR that no signal explains. Two sleeps are better
 * off, because nanosleep has already written the rest to `rem`: where that is
 * also `req`, starting anew goes on with the rest; where it is another place,
 * the caller is prepared for EINTR and looks there.
 *
 * Which call it is stands in orig_rax, unless the call was interrupted before
 * (by an earlier dump, or SIGSTOP): then there is only "restart_syscall". Two
 * things still tell: the instruction that loaded the number, and the kernel
 * function in which the thread slept before the freeze.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct error;

struct timed_call {
	pid_t host_tid;
	uint64_t sp;
	uint64_t ip;
	const char *slept_in; /* a kind, see the .c file */
};

struct timed_calls {
	struct timed_call *calls; /* in the order of the walk; few */
	size_t n;
	size_t size;
};

/* Before the freeze: notes the threads of the tree that sit in restart_syscall. What can't be
 * read is left out. */
int timed_calls_look(struct timed_calls *calls, pid_t host_pid, struct error *err);

/* Makes the registers of a stopped thread those to be restored. */
void timed_call_resolve(const struct timed_calls *calls, pid_t host_tid,
			struct user_regs_struct *regs);

void timed_calls_done(struct timed_calls *calls);
