/*
 * stub: machine code that brings a thread back to where it was.
 *
 * It stands in the padding of the target's vDSO, so that it can unmap the area
 * it came from and still go on. It needs no stack, leaves the flags and the FPU
 * alone, and loads every general register from constants:
 *
 *	calls:	system calls			(optional; for threads that need no area)
 *	map:	syscall				(optional; the tracer has set the registers)
 *		rdi = rax, go to unmap
 *	leave:	rdi = area			(the constant at area_imm)
 *	unmap:	munmap(rdi, size)
 *		rsp = the thread's own		(from here on a signal may come)
 *		tgkill(tgid, tid, signal)	(optional: "I am back")
 *		rt_sigprocmask(SIG_SETMASK, mask)	(optional)
 *		all other registers, jump to rip
 *
 * One header for all processors; the code is in arch/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#define STUB_LEN_MAX 448
#define STUB_CALLS_MAX 5

/* A system call to be made first. Its result is kept in a register until the call of the
 * tracer, who reads it there (stub_result). */
struct stub_call {
	uint32_t nr;
	uint64_t args[3];
};

struct stub_spec {
	/* What the thread gets: a state that doesn't depend on orig_rax (see
	 * regs_resolve_restart). Flags are not loaded: who jumps here has set them. */
	const struct user_regs_struct *regs;
	uint64_t area;	    /* may be 0 and be put in at area_imm later */
	uint64_t area_size; /* 0: there is nothing to unmap */
	const struct stub_call *calls;
	size_t n_calls;
	bool with_map;
	bool with_ping;
	int32_t ns_tgid; /* as the thread itself would say */
	int32_t ns_tid;	 /* 0: neither is known, it asks */
	int signal;	 /* 0: the call is made all the same, and does nothing */
	bool with_mask;
	uint64_t sigmask;
};

struct stub_layout {
	size_t len;
	size_t calls;	 /* offset of the first of the calls */
	size_t map;	 /* offset of the syscall instruction of with_map */
	size_t leave;	 /* offset to jump to */
	size_t area_imm; /* offset of 8 bytes: the area's address */
};

/* What call i has answered, from the registers at the call of the tracer. */
int64_t stub_result(const struct user_regs_struct *regs, size_t i);

/* Emits the code, which works at any address; `out` has STUB_LEN_MAX bytes. */
void stub_emit(const struct stub_spec *spec, uint8_t *out, struct stub_layout *ret_layout);
