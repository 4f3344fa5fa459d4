/*
 * tape: system calls planned here and played elsewhere (pie/abi.h).
 *
 *	struct tape *t = area_add_tape(&area, 7, "become");
 *	uint64_t name = area_add_string(&area, path);
 *	uint32_t fd = tape_call(t, SYS_openat, TAPE_ARGS(tape_imm(dirfd), tape_at(name),
 *				tape_imm(O_RDONLY)), "open %s", path);
 *	uint32_t map = tape_call(t, SYS_mmap, TAPE_ARGS(tape_imm(addr), tape_imm(len),
 *				 tape_imm(prot), tape_imm(flags), tape_slot(fd)),
 *				 "mapping %" PRIx64 " of %s", addr, path);
 *	tape_expect(t, map, PIE_RULE_EQUAL, (int64_t)addr);
 *
 * Each entry has a label: what is being done, for people. It stays here; the
 * player only knows numbers. Entries are good when their result is no error,
 * unless tape_expect() says otherwise.
 *
 * All functions accept a NULL tape (out of memory, told by area_seal()).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "pie/abi.h"

struct area;

struct tape {
	struct area *area; /* borrowed: its owner */
	char *name;
	uint32_t index; /* in the area's table; what FORK and BECOME name */
	uint32_t task;
	uint32_t epilogue;
	uint64_t stack_size;
	struct pie_entry *entries;
	size_t *labels; /* offset in label_text of each entry's label */
	size_t n;
	size_t size; /* allocated */
	struct buf label_text;
	/* From area_seal() on: */
	uint64_t entries_at;
	uint64_t stack_at;
};

struct tape_arg {
	uint64_t value;
	enum pie_arg_kind kind;
};

/* A number, an address in the playing task, a flag. */
static inline struct tape_arg tape_imm(uint64_t value)
{
	return (struct tape_arg){ value, PIE_ARG_IMM };
}

/* Address of something in the area. */
static inline struct tape_arg tape_at(uint64_t offset)
{
	return (struct tape_arg){ offset, PIE_ARG_AREA };
}

/* The result of an earlier entry of this tape. */
static inline struct tape_arg tape_slot(uint32_t entry)
{
	return (struct tape_arg){ entry, PIE_ARG_SLOT };
}

/* What the area holds at that offset when the entry is played. */
static inline struct tape_arg tape_load32(uint64_t offset)
{
	return (struct tape_arg){ offset, PIE_ARG_LOAD32 };
}

static inline struct tape_arg tape_load64(uint64_t offset)
{
	return (struct tape_arg){ offset, PIE_ARG_LOAD64 };
}

/* Up to six; those not given are 0. */
#define TAPE_ARGS(...)                                                                             \
	(const struct tape_arg[PIE_ARGS])                                                          \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* Both return the entry's number, for tape_slot, tape_expect and tape_result. */
uint32_t tape_call(struct tape *tape, long nr, const struct tape_arg args[PIE_ARGS],
		   const char *label, ...) __attribute__((format(printf, 4, 5)));
uint32_t tape_op(struct tape *tape, enum pie_op op, const struct tape_arg args[PIE_ARGS],
		 const char *label, ...) __attribute__((format(printf, 4, 5)));

void tape_expect(struct tape *tape, uint32_t entry, enum pie_rule rule, int64_t expect);

/*
 * clone3 of a child that plays another tape. `clone_args` is the offset of a
 * struct clone_args (see PIE_OP_FORK for what the player fills in).
 */
uint32_t tape_fork(struct tape *tape, uint64_t clone_args, const struct tape *child,
		   const char *label, ...) __attribute__((format(printf, 4, 5)));

/* Wait until the word at that offset is at least n. */
void tape_barrier(struct tape *tape, uint64_t word, uint32_t n, const char *label);
/* Add one to the word and wake those who wait for it. */
void tape_post(struct tape *tape, uint64_t word, const char *label);
/* The same where all wait for the total: nobody is woken before it is reached. */
void tape_post_last(struct tape *tape, uint64_t word, uint32_t total, const char *label);
/* Continue with another tape in the copy of the area mapped at `addr`. */
void tape_become(struct tape *tape, struct tape_arg addr, const struct tape *next,
		 const char *label);

/* After a fault the play goes on with the next entry that is added. Default: it ends. */
void tape_epilogue(struct tape *tape);

/* The result of an entry, out of a live area or a copy of it; sealed tapes only. */
int64_t tape_result(const struct tape *tape, const struct pie_area *live, uint32_t entry);

/* Label of an entry, "" if there is none. */
const char *tape_label(const struct tape *tape, uint32_t entry);

void tape_explain(const struct tape *tape, struct buf *out);

/* "clone3", "barrier": an operation that is not a plain system call. */
const char *tape_op_name(unsigned int op);

struct tape *tape_new(struct area *area, uint32_t index, uint32_t task, const char *name);
void tape_free(struct tape *tape);
