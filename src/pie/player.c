/*
 * player: plays a tape (abi.h).
 *
 * The one source is compiled twice: freestanding, as the code that lies in an
 * area and runs inside a target, and as an ordinary object, for the first
 * processes of a restore. So: no libc, no globals, no vector registers (the
 * target's are live), nothing that would need a relocation, and little stack.
 */
#include "pie/abi.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>

#include "pie/arch/x86-64/arch.h"

#define HIDDEN __attribute__((visibility("hidden")))
#define ERRNO_MAX 4095

/* First in the blob: its offset 0 is where others enter (abi.h). */
HIDDEN __attribute__((noreturn, used, section(".text.enter"))) void pie_enter(struct pie_area *area,
									      uint64_t tape);

static uint64_t area_addr(const struct pie_area *area)
{
	return (uint64_t)(uintptr_t)area;
}

static struct pie_tape *find_tape(struct pie_area *area, uint64_t index)
{
	return (struct pie_tape *)(uintptr_t)(area_addr(area) + area->tapes) + index;
}

static uint64_t arg_value(const struct pie_area *area, const struct pie_entry *entries,
			  const struct pie_entry *e, unsigned int i)
{
	uint64_t v = e->args[i];

	switch ((e->kinds >> (4 * i)) & 15) {
	case PIE_ARG_AREA:
		return area_addr(area) + v;
	case PIE_ARG_SLOT:
		return (uint64_t)entries[v].result;
	case PIE_ARG_LOAD32:
		return (uint64_t)(int64_t) *
		       (const volatile int32_t *)(uintptr_t)(area_addr(area) + v);
	case PIE_ARG_LOAD64:
		return *(const volatile uint64_t *)(uintptr_t)(area_addr(area) + v);
	default:
		return v;
	}
}

static void word_wake(uint32_t *word)
{
	const uint64_t args[6] = { (uint64_t)(uintptr_t)word, FUTEX_WAKE, INT32_MAX };

	(void)arch_syscall(SYS_futex, args); /* fails only on bad addresses */
}

static int64_t word_post(struct pie_area *area, uint32_t *word, uint32_t n, uint32_t wake_at)
{
	uint32_t now = __atomic_add_fetch(word, n, __ATOMIC_SEQ_CST);

	if (now < wake_at)
		return now;
	word_wake(word);
	(void)__atomic_add_fetch(&area->event, 1, __ATOMIC_SEQ_CST);
	word_wake(&area->event);
	return now;
}

static int64_t word_wait(uint32_t *word, uint32_t n)
{
	for (;;) {
		uint32_t now = __atomic_load_n(word, __ATOMIC_SEQ_CST);
		const uint64_t args[6] = { (uint64_t)(uintptr_t)word, FUTEX_WAIT, now };

		if (now >= n)
			return 0;
		(void)arch_syscall(SYS_futex, args); /* EAGAIN, EINTR: look again */
	}
}

static int64_t play_fork(struct pie_area *area, const uint64_t args[6])
{
	const struct pie_tape *child = find_tape(area, args[2]);
	struct clone_args ca;

	if (args[1] > sizeof(ca))
		return -7; /* E2BIG */
	arch_copy((uint64_t)(uintptr_t)&ca, args[0], args[1]);
	ca.stack = area_addr(area) + child->stack;
	ca.stack_size = child->stack_size;
	if (ca.pidfd)
		ca.pidfd += area_addr(area);
	if (ca.set_tid)
		ca.set_tid += area_addr(area);
	return arch_fork(&ca, args[1], area, args[2]);
}

static __attribute__((noreturn)) void play_become(uint64_t to, uint64_t tape)
{
	struct pie_area *area = (struct pie_area *)(uintptr_t)to;
	const struct pie_tape *t = find_tape(area, tape);

	arch_become(to + area->player, to + t->stack + t->stack_size, to, tape);
}

static int64_t play_entry(struct pie_area *area, const struct pie_entry *entries,
			  const struct pie_entry *e)
{
	uint64_t args[6];

	for (unsigned int i = 0; i < 6; i++)
		args[i] = arg_value(area, entries, e, i);

	switch (e->op) {
	case PIE_OP_SYSCALL:
		return arch_syscall(e->nr, args);
	case PIE_OP_FORK:
		return play_fork(area, args);
	case PIE_OP_BARRIER:
		return word_wait((uint32_t *)(uintptr_t)args[0], (uint32_t)args[1]);
	case PIE_OP_POST:
		return word_post(area, (uint32_t *)(uintptr_t)args[0], (uint32_t)args[1],
				 (uint32_t)args[2]);
	case PIE_OP_STORE32:
		*(volatile uint32_t *)(uintptr_t)args[0] = (uint32_t)args[1];
		return 0;
	case PIE_OP_STORE64:
		*(volatile uint64_t *)(uintptr_t)args[0] = args[1];
		return 0;
	case PIE_OP_COPY:
		arch_copy(args[0], args[1], args[2]);
		return 0;
	case PIE_OP_BECOME:
		play_become(args[0], args[1]);
	case PIE_OP_SIGRETURN:
		arch_sigreturn(args[0]);
	case PIE_OP_JUMP:
		arch_jump(args[0], args[1]);
	default:
		return -38; /* ENOSYS */
	}
}

static bool is_good(const struct pie_entry *e)
{
	bool failed = e->result < 0 && e->result >= -ERRNO_MAX;

	switch (e->rule) {
	case PIE_RULE_EQUAL:
		return e->result == e->expect;
	case PIE_RULE_ANY:
		return true;
	case PIE_RULE_OK_OR:
		return !failed || e->result == -e->expect;
	case PIE_RULE_AT_LEAST:
		return e->result >= e->expect;
	default:
		return !failed;
	}
}

static void record_fault(struct pie_area *area, uint32_t tape, uint32_t entry, int64_t result)
{
	struct pie_fault *fault = &area->fault;
	uint32_t none = 0;

	if (!__atomic_compare_exchange_n(&fault->claimed, &none, PIE_FAULT_CLAIMED, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	fault->task = find_tape(area, tape)->task;
	fault->tape = tape;
	fault->entry = entry;
	fault->result = result;
	__atomic_store_n(&fault->claimed, PIE_FAULT_READY, __ATOMIC_SEQ_CST);
	(void)__atomic_add_fetch(&area->event, 1, __ATOMIC_SEQ_CST);
	word_wake(&area->event);
}

HIDDEN int pie_play(struct pie_area *area, uint32_t index)
{
	const struct pie_tape *tape = find_tape(area, index);
	struct pie_entry *entries =
		(struct pie_entry *)(uintptr_t)(area_addr(area) + tape->entries);
	bool failed = false;
	uint32_t i = 0;

	while (i < tape->n_entries) {
		struct pie_entry *e = &entries[i];

		e->result = play_entry(area, entries, e);
		if (is_good(e) || failed) {
			i++;
			continue;
		}
		record_fault(area, index, i, e->result);
		if (tape->epilogue == PIE_NO_EPILOGUE)
			return e->result < 0 && e->result >= -ERRNO_MAX ? (int)e->result
									: -71 /* EPROTO */;
		failed = true;
		/* A fault in the epilogue itself does not play it twice. */
		i = i < tape->epilogue ? tape->epilogue : i + 1;
	}
	return 0;
}

void pie_enter(struct pie_area *area, uint64_t tape)
{
	const uint64_t args[6] = { pie_play(area, (uint32_t)tape) < 0 };

	for (;;)
		(void)arch_syscall(SYS_exit_group, args);
}
