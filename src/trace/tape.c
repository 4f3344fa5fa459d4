#include "trace/tape.h"

#include <inttypes.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/area.h"
#include "trace/syscall-name.h"

static const char *const op_names[] = {
	[PIE_OP_SYSCALL] = "syscall",	  [PIE_OP_FORK] = "clone3",
	[PIE_OP_BARRIER] = "barrier",	  [PIE_OP_POST] = "post",
	[PIE_OP_STORE32] = "store32",	  [PIE_OP_STORE64] = "store64",
	[PIE_OP_COPY] = "copy",		  [PIE_OP_BECOME] = "become",
	[PIE_OP_SIGRETURN] = "sigreturn", [PIE_OP_JUMP] = "jump",
};

const char *tape_op_name(unsigned int op)
{
	return op < sizeof(op_names) / sizeof(op_names[0]) ? op_names[op] : "unknown";
}

struct tape *tape_new(struct area *area, uint32_t index, uint32_t task, const char *name)
{
	struct tape *tape = calloc(1, sizeof(*tape));

	if (!tape)
		return NULL;
	tape->area = area;
	tape->index = index;
	tape->task = task;
	tape->epilogue = PIE_NO_EPILOGUE;
	tape->stack_size = AREA_STACK_SIZE;
	tape->name = strdup(name);
	if (!tape->name) {
		free(tape);
		return NULL;
	}
	return tape;
}

void tape_free(struct tape *tape)
{
	if (!tape)
		return;
	free(tape->name);
	free(tape->entries);
	free(tape->labels);
	buf_done(&tape->label_text);
	free(tape);
}

static bool tape_grow(struct tape *tape)
{
	size_t size = tape->size ? tape->size * 2 : 32;
	struct pie_entry *entries;
	size_t *labels;

	if (tape->n < tape->size)
		return true;
	if (tape->n >= UINT32_MAX / 2)
		return false;
	entries = reallocarray(tape->entries, size, sizeof(*entries));
	if (!entries)
		return false;
	tape->entries = entries;
	labels = reallocarray(tape->labels, size, sizeof(*labels));
	if (!labels)
		return false;
	tape->labels = labels;
	tape->size = size;
	return true;
}

static uint32_t __attribute__((format(printf, 5, 0)))
tape_addv(struct tape *tape, enum pie_op op, long nr, const struct tape_arg *args,
	  const char *label, va_list ap)
{
	struct pie_entry *e;
	char text[512];

	if (!tape)
		return 0;
	if (tape->area->size || !tape_grow(tape)) {
		tape->area->failed = true;
		return 0;
	}
	e = &tape->entries[tape->n];
	*e = (struct pie_entry){ .op = (uint16_t)op, .nr = (uint32_t)nr };
	for (unsigned int i = 0; i < PIE_ARGS; i++) {
		e->args[i] = args[i].value;
		e->kinds |= (uint32_t)args[i].kind << (4 * i);
	}
	tape->labels[tape->n] = tape->label_text.len;
	(void)vsnprintf(text, sizeof(text), label, ap); /* a cut label is still a label */
	buf_add(&tape->label_text, text, strlen(text) + 1);
	if (!buf_ok(&tape->label_text))
		tape->area->failed = true;
	return (uint32_t)tape->n++;
}

uint32_t tape_call(struct tape *tape, long nr, const struct tape_arg args[PIE_ARGS],
		   const char *label, ...)
{
	va_list ap;
	uint32_t entry;

	va_start(ap, label);
	entry = tape_addv(tape, PIE_OP_SYSCALL, nr, args, label, ap);
	va_end(ap);
	return entry;
}

uint32_t tape_op(struct tape *tape, enum pie_op op, const struct tape_arg args[PIE_ARGS],
		 const char *label, ...)
{
	va_list ap;
	uint32_t entry;

	va_start(ap, label);
	entry = tape_addv(tape, op, 0, args, label, ap);
	va_end(ap);
	return entry;
}

void tape_expect(struct tape *tape, uint32_t entry, enum pie_rule rule, int64_t expect)
{
	if (!tape || entry >= tape->n)
		return;
	tape->entries[entry].rule = (uint16_t)rule;
	tape->entries[entry].expect = expect;
}

uint32_t tape_fork(struct tape *tape, uint64_t clone_args, const struct tape *child,
		   const char *label, ...)
{
	va_list ap;
	uint32_t entry;

	va_start(ap, label);
	entry = tape_addv(tape, PIE_OP_FORK, 0,
			  TAPE_ARGS(tape_at(clone_args), tape_imm(sizeof(struct clone_args)),
				    tape_imm(child ? child->index : 0)),
			  label, ap);
	va_end(ap);
	return entry;
}

void tape_barrier(struct tape *tape, uint64_t word, uint32_t n, const char *label)
{
	(void)tape_op(tape, PIE_OP_BARRIER, TAPE_ARGS(tape_at(word), tape_imm(n)), "%s", label);
}

void tape_post_last(struct tape *tape, uint64_t word, uint32_t total, const char *label)
{
	(void)tape_op(tape, PIE_OP_POST, TAPE_ARGS(tape_at(word), tape_imm(1), tape_imm(total)),
		      "%s", label);
}

void tape_post(struct tape *tape, uint64_t word, const char *label)
{
	(void)tape_op(tape, PIE_OP_POST, TAPE_ARGS(tape_at(word), tape_imm(1)), "%s", label);
}

void tape_become(struct tape *tape, struct tape_arg addr, const struct tape *next,
		 const char *label)
{
	(void)tape_op(tape, PIE_OP_BECOME, TAPE_ARGS(addr, tape_imm(next ? next->index : 0)), "%s",
		      label);
}

void tape_epilogue(struct tape *tape)
{
	if (tape)
		tape->epilogue = (uint32_t)tape->n;
}

int64_t tape_result(const struct tape *tape, const struct pie_area *live, uint32_t entry)
{
	const char *entries = (const char *)live + tape->entries_at;

	return ((const struct pie_entry *)entries)[entry].result;
}

const char *tape_label(const struct tape *tape, uint32_t entry)
{
	if (entry >= tape->n || !buf_ok(&tape->label_text))
		return "";
	return tape->label_text.data + tape->labels[entry];
}

static void explain_arg(const struct pie_entry *e, unsigned int i, struct buf *out)
{
	uint64_t v = e->args[i];

	switch ((e->kinds >> (4 * i)) & 15) {
	case PIE_ARG_AREA:
		buf_addf(out, "area+%#" PRIx64, v);
		break;
	case PIE_ARG_SLOT:
		buf_addf(out, "result %" PRIu64, v);
		break;
	case PIE_ARG_LOAD32:
		buf_addf(out, "int at area+%#" PRIx64, v);
		break;
	case PIE_ARG_LOAD64:
		buf_addf(out, "long at area+%#" PRIx64, v);
		break;
	default:
		if ((int64_t)v > -4096 && (int64_t)v < 4096)
			buf_addf(out, "%" PRId64, (int64_t)v);
		else
			buf_addf(out, "%#" PRIx64, v);
	}
}

static void explain_rule(const struct pie_entry *e, struct buf *out)
{
	switch (e->rule) {
	case PIE_RULE_EQUAL:
		buf_addf(out, " must give %#" PRIx64, (uint64_t)e->expect);
		break;
	case PIE_RULE_ANY:
		buf_adds(out, " may fail");
		break;
	case PIE_RULE_OK_OR:
		buf_addf(out, " may fail with %s", strerrorname_np((int)e->expect) ?: "?");
		break;
	case PIE_RULE_AT_LEAST:
		buf_addf(out, " must give at least %" PRId64, e->expect);
		break;
	default:
		break;
	}
}

/* Arguments behind the last that is not a plain 0 say nothing. */
static unsigned int used_args(const struct pie_entry *e)
{
	unsigned int n = PIE_ARGS;

	while (n > 0 && !e->args[n - 1] && !((e->kinds >> (4 * (n - 1))) & 15))
		n--;
	return n;
}

void tape_explain(const struct tape *tape, struct buf *out)
{
	buf_addf(out, "task %" PRIu32 ": tape %" PRIu32 " (%s), %zu entries\n", tape->task,
		 tape->index, tape->name, tape->n);
	for (uint32_t i = 0; i < tape->n; i++) {
		const struct pie_entry *e = &tape->entries[i];
		const char *label = tape_label(tape, i);
		unsigned int n = used_args(e);

		if (i == tape->epilogue)
			buf_adds(out, "  in any case:\n");
		buf_addf(out, "  %4" PRIu32 "  %s(", i,
			 e->op == PIE_OP_SYSCALL ? syscall_name(e->nr) : tape_op_name(e->op));
		for (unsigned int j = 0; j < n; j++) {
			if (j)
				buf_adds(out, ", ");
			explain_arg(e, j, out);
		}
		buf_adds(out, ")");
		explain_rule(e, out);
		if (*label)
			buf_addf(out, "  -- %s", label);
		buf_adds(out, "\n");
	}
}
