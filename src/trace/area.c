#include "trace/area.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "trace/syscall-name.h"
#include "trace/tape.h"

#define PAGE 4096
#define AREA_SIZE_MAX (UINT64_C(1) << 30)

static uint64_t round_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

static size_t player_len(void)
{
	return (size_t)((uintptr_t)pie_blob_end - (uintptr_t)pie_blob);
}

int area_init(struct area *area, struct error *err)
{
	*area = (struct area){ .failed = false };
	if (!buf_grow(&area->data, sizeof(struct pie_area)))
		return err_oom(err);
	return 0;
}

void area_done(struct area *area)
{
	for (size_t i = 0; i < area->n_tapes; i++)
		tape_free(area->tapes[i]);
	free(area->tapes);
	buf_done(&area->data);
	*area = (struct area){ .failed = false };
}

uint64_t area_alloc(struct area *area, size_t len, size_t align)
{
	uint64_t at = round_up(area->data.len, align);

	if (area->failed || area->size || len > AREA_SIZE_MAX ||
	    !buf_grow(&area->data, at - area->data.len + len)) {
		area->failed = true;
		return 0;
	}
	return at;
}

uint64_t area_add(struct area *area, const void *data, size_t len)
{
	uint64_t at = area_alloc(area, len, 8);

	if (at && len)
		memcpy(area->data.data + at, data, len);
	return at;
}

uint64_t area_add_string(struct area *area, const char *s)
{
	size_t len = strlen(s) + 1;
	uint64_t at = area_alloc(area, len, 1);

	if (at)
		memcpy(area->data.data + at, s, len);
	return at;
}

uint64_t area_add_word(struct area *area)
{
	return area_alloc(area, sizeof(uint32_t), sizeof(uint32_t));
}

void *area_data(struct area *area, uint64_t offset)
{
	if (area->failed || offset < sizeof(struct pie_area) || offset >= area->data.len)
		return NULL;
	return area->data.data + offset;
}

struct tape *area_add_tape(struct area *area, uint32_t task, const char *name)
{
	struct tape **tapes;
	struct tape *tape;

	if (area->failed || area->size)
		goto failed;
	/* Grows by doubling: n_tapes is a power of two when it is full. */
	if ((area->n_tapes & (area->n_tapes - 1)) == 0) {
		size_t size = area->n_tapes ? area->n_tapes * 2 : 1;

		tapes = reallocarray(area->tapes, size, sizeof(struct tape *));
		if (!tapes)
			goto failed;
		area->tapes = tapes;
	}
	tape = tape_new(area, (uint32_t)area->n_tapes, task, name);
	if (!tape)
		goto failed;
	area->tapes[area->n_tapes++] = tape;
	return tape;

failed:
	area->failed = true;
	return NULL;
}

int area_seal(struct area *area, struct error *err)
{
	uint64_t at;

	if (area->failed)
		return err_oom(err);

	at = area->tapes_at = round_up(area->data.len, 64);
	at += area->n_tapes * sizeof(struct pie_tape);
	for (size_t i = 0; i < area->n_tapes; i++) {
		at = area->tapes[i]->entries_at = round_up(at, 16);
		at += area->tapes[i]->n * sizeof(struct pie_entry);
	}
	/* The player has pages of its own: the processor takes writes beside code it is
	 * running for self-modification, and starts over. */
	at = area->player_at = round_up(at, PAGE);
	at += player_len();
	area->image_len = at;
	at = round_up(at, PAGE);
	for (size_t i = 0; i < area->n_tapes; i++) {
		area->tapes[i]->stack_at = at;
		at += round_up(area->tapes[i]->stack_size, 16);
	}
	at = round_up(at, PAGE);
	if (at > AREA_SIZE_MAX)
		return err_set(err, -E2BIG, "the plan takes %llu bytes, %llu is the most",
			       (unsigned long long)at, (unsigned long long)AREA_SIZE_MAX);
	area->size = at;
	return 0;
}

void area_write(const struct area *area, void *dst)
{
	struct pie_area *head = dst;
	struct pie_tape *table = (struct pie_tape *)((char *)dst + area->tapes_at);

	memcpy(dst, area->data.data, area->data.len);
	memset((char *)dst + area->data.len, 0, area->image_len - area->data.len);
	*head = (struct pie_area){
		.magic = PIE_MAGIC,
		.version = PIE_ABI_VERSION,
		.size = area->size,
		.player = area->player_at,
		.tapes = area->tapes_at,
		.n_tapes = (uint32_t)area->n_tapes,
	};
	for (size_t i = 0; i < area->n_tapes; i++) {
		const struct tape *tape = area->tapes[i];

		table[i] = (struct pie_tape){
			.entries = tape->entries_at,
			.stack = tape->stack_at,
			.stack_size = round_up(tape->stack_size, 16),
			.n_entries = (uint32_t)tape->n,
			.epilogue = tape->epilogue,
			.task = tape->task,
		};
		if (tape->n)
			memcpy((char *)dst + tape->entries_at, tape->entries,
			       tape->n * sizeof(struct pie_entry));
	}
	memcpy((char *)dst + area->player_at, pie_blob, player_len());
}

int area_fault(const struct area *area, const struct pie_area *live, struct error *err)
{
	struct pie_fault fault;
	const struct tape *tape;
	const struct pie_entry *e;
	const char *what;
	const char *label;

	if (__atomic_load_n(&live->fault.claimed, __ATOMIC_SEQ_CST) != PIE_FAULT_READY)
		return 0;
	memcpy(&fault, &live->fault, sizeof(fault));
	if (fault.tape >= area->n_tapes || fault.entry >= area->tapes[fault.tape]->n)
		return err_set(err, -EPROTO, "task %u: fault record names tape %u, entry %u",
			       fault.task, fault.tape, fault.entry);

	tape = area->tapes[fault.tape];
	e = &tape->entries[fault.entry];
	what = e->op == PIE_OP_SYSCALL ? syscall_name(e->nr) : tape_op_name(e->op);
	label = tape_label(tape, fault.entry);
	if (fault.result < 0 && fault.result >= -4095)
		return err_set(err, (int)fault.result, "task %u: %s%s%s: %s", fault.task, label,
			       *label ? ": " : "", what, strerror((int)-fault.result));
	return err_set(err, -EPROTO, "task %u: %s%s%s: gave %lld where %lld was expected",
		       fault.task, label, *label ? ": " : "", what, (long long)fault.result,
		       (long long)e->expect);
}

void area_explain(const struct area *area, struct buf *out)
{
	for (size_t i = 0; i < area->n_tapes; i++)
		tape_explain(area->tapes[i], out);
}
