/*
 * regs-restore: the registers a task ends up with, as the kernel's signal frame has them
 * (struct sigcontext, x86-64).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

struct frame_context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};

/* All that ptrace sets of a thread. */
struct thread_state {
	struct user_regs_struct regs;
	uint64_t mask;
	void *xstate; /* as PTRACE_SETREGSET takes it */
	size_t xstate_size;
};
