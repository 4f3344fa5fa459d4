/*
 * abi: what the host and the player agree on.
 *
 * The area is one contiguous region, the same bytes at any address:
 *
 *	0            struct pie_area (this header)
 *	...          data: strings, structures, barrier words
 *	tapes        struct pie_tape[n_tapes], then the entries of each
 *	player       the player's code, position-independent
 *	...          stacks, one per tape; zero at first
 *
 * Everything in it refers to everything else by offset from its start, so it
 * can be mapped anywhere, moved, and seen at different addresses by several
 * tasks at once. A tape is played by one task or thread at a time; different
 * tapes of one area may be played at the same time by different tasks. What a
 * player writes is its own tape's results, its own stack, the fault record
 * (claimed by compare-and-swap: the first fault stays), the event counter, and
 * what the tape's entries say.
 *
 * Compiled on both sides: fixed-width types, explicit padding, no pointers.
 * Each change of layout or meaning takes a new PIE_ABI_VERSION.
 */
#pragma once

#include <stdint.h>

#define PIE_MAGIC 0x65706174 /* "tape" */
#define PIE_ABI_VERSION 2
#define PIE_ARGS 6

/* How an argument becomes the value that is used. 4 bits each in pie_entry.kinds. */
enum pie_arg_kind {
	PIE_ARG_IMM = 0,    /* the value itself */
	PIE_ARG_AREA = 1,   /* address of that offset in the area, as this player sees it */
	PIE_ARG_SLOT = 2,   /* result of that earlier entry of the same tape */
	PIE_ARG_LOAD32 = 3, /* int32_t at that offset of the area, sign-extended */
	PIE_ARG_LOAD64 = 4, /* uint64_t at that offset of the area */
};

enum pie_op {
	PIE_OP_SYSCALL = 0, /* system call `nr` with args */

	/*
	 * clone3. args: (AREA) its struct clone_args, size of it, index of the tape
	 * that the child plays. In the struct: `stack` and `stack_size` are set by
	 * the player to the child tape's stack; `set_tid` and `pidfd`, if not 0, are
	 * offsets in the area; `child_tid`, `parent_tid` and `tls` are addresses, taken
	 * as they are. The result is the child's pid.
	 */
	PIE_OP_FORK,

	/* Wait until the word at (AREA) arg 0 is at least arg 1 (unsigned). */
	PIE_OP_BARRIER,

	/* Add arg 1 to the word at (AREA) arg 0, wake its waiters, bump the event counter;
	 * but these two only if the word is at least arg 2 then: a crowd that is woken each
	 * time one more has come costs the square of its number. The result is the new value. */
	PIE_OP_POST,

	PIE_OP_STORE32, /* *(uint32_t *)arg 0 = arg 1 */
	PIE_OP_STORE64, /* *(uint64_t *)arg 0 = arg 1 */
	PIE_OP_COPY,	/* arg 2 bytes from arg 1 to arg 0; no overlap */

	/*
	 * Go on in another copy of the area, whose address is arg 0: the player there
	 * plays tape number arg 1 on that tape's stack. Nothing of the old place (code,
	 * stack, area) is used any more: the new tape may unmap it. Never returns.
	 */
	PIE_OP_BECOME,

	/* rt_sigreturn(2) with the frame at arg 0: the address of its struct ucontext (what
	 * the stack pointer is when a handler has returned). Never returns. */
	PIE_OP_SIGRETURN,

	/* Flags are set to arg 1, then a jump to arg 0. All other registers are lost. */
	PIE_OP_JUMP,
};

/* Which results are good. `expect` is the entry's. */
enum pie_rule {
	PIE_RULE_OK = 0,   /* anything but -4095..-1 */
	PIE_RULE_EQUAL,	   /* exactly `expect` */
	PIE_RULE_ANY,	   /* a failure is no fault */
	PIE_RULE_OK_OR,	   /* as OK, and -`expect` (an errno) is good too */
	PIE_RULE_AT_LEAST, /* signed, not less than `expect` */
};

struct pie_entry {
	uint16_t op;   /* enum pie_op */
	uint16_t rule; /* enum pie_rule */
	uint32_t nr;
	uint32_t kinds; /* enum pie_arg_kind of args[i] in bits 4i..4i+3 */
	uint32_t pad;
	uint64_t args[PIE_ARGS];
	int64_t expect;
	int64_t result; /* written by the player */
};

#define PIE_NO_EPILOGUE UINT32_MAX

struct pie_tape {
	uint64_t entries;    /* offset of struct pie_entry[n_entries] */
	uint64_t stack;	     /* offset of the lowest byte of this tape's stack */
	uint64_t stack_size; /* multiple of 16 */
	uint32_t n_entries;
	/* After a fault the play goes on with this entry, and faults from there on are not
	 * recorded. PIE_NO_EPILOGUE: it ends at once. */
	uint32_t epilogue;
	uint32_t task; /* the host's name for the task that plays it; goes into the fault */
	uint32_t pad;
};

/* Filled once per area, by the first player that fails. */
struct pie_fault {
	uint32_t claimed; /* 0: no fault yet; PIE_FAULT_CLAIMED; PIE_FAULT_READY */
	uint32_t task;
	uint32_t tape; /* index */
	uint32_t entry;
	int64_t result; /* of the entry that failed */
};

#define PIE_FAULT_CLAIMED 1 /* a player is filling it in */
#define PIE_FAULT_READY 2   /* may be read */

struct pie_area {
	uint32_t magic;
	uint32_t version;
	uint64_t size;	 /* of the whole area, whole pages */
	uint64_t player; /* offset of the player's entry, see below */
	uint64_t tapes;	 /* offset of struct pie_tape[n_tapes] */
	uint32_t n_tapes;
	/* Goes up after each POST that wakes and each fault, and its waiters (futex, not private) are
	 * woken: one place for a coordinator to wait. */
	uint32_t event;
	struct pie_fault fault;
};

/*
 * Entry into the copy of the player inside an area: jump to area + player with
 *	1st argument register: address of the area as seen by this task
 *	2nd argument register: index of the tape
 *	stack pointer:         top of that tape's stack
 * When the tape ends there without a JUMP, SIGRETURN or BECOME, the process
 * exits (exit_group): 0, or 1 after a fault.
 */

/*
 * The same player called from C, in a process of ours that has the area mapped
 * (first tape of a restored tree). 0 when the tape ended, or a negative errno
 * after a fault that no epilogue took over.
 */
int pie_play(struct pie_area *area, uint32_t tape);

/* The player's code: what lies at the area's `player` offset. */
extern const unsigned char pie_blob[];
extern const unsigned char pie_blob_end[];
