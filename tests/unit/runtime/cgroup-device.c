#include "../cmocka-all.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/cgroup-device.h"
#include "runtime/spec.h"

#define RWM (DEVICE_ACCESS_READ | DEVICE_ACCESS_WRITE | DEVICE_ACCESS_MKNOD)

struct request {
	uint32_t access_type;
	uint32_t major;
	uint32_t minor;
};

static uint32_t field(const struct request *q, short offset)
{
	switch (offset) {
	case offsetof(struct bpf_cgroup_dev_ctx, access_type):
		return q->access_type;
	case offsetof(struct bpf_cgroup_dev_ctx, major):
		return q->major;
	default:
		return q->minor;
	}
}

/* The few instructions the programs consist of; all else is a failure. */
static bool answer(const struct bpf_insn *program, int n, const struct request *q)
{
	uint64_t reg[11] = { 0 };

	for (int pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &program[pc];
		const uint64_t imm = (uint64_t)(int64_t)i->imm;
		uint64_t *dst = &reg[i->dst_reg];

		if (i->code == (BPF_LDX | BPF_W | BPF_MEM))
			*dst = field(q, i->off);
		else if (i->code == (BPF_ALU64 | BPF_MOV | BPF_X))
			*dst = reg[i->src_reg];
		else if (i->code == (BPF_ALU64 | BPF_MOV | BPF_K))
			*dst = imm;
		else if (i->code == (BPF_ALU64 | BPF_AND | BPF_K))
			*dst &= imm;
		else if (i->code == (BPF_ALU64 | BPF_RSH | BPF_K))
			*dst >>= imm;
		else if (i->code == (BPF_JMP | BPF_JNE | BPF_K))
			pc += *dst != imm ? i->off : 0;
		else if (i->code == (BPF_JMP | BPF_JEQ | BPF_K))
			pc += *dst == imm ? i->off : 0;
		else if (i->code == (BPF_JMP32 | BPF_JNE | BPF_K))
			pc += (uint32_t)*dst != (uint32_t)i->imm ? i->off : 0;
		else if (i->code == (BPF_JMP | BPF_EXIT))
			return reg[0] != 0;
		else
			fail_msg("instruction %d: code %#x", pc, i->code);
	}
	fail_msg("the program runs out of its end");
	return false;
}

static bool allowed(const struct spec_device_rule *rules, size_t n, char type, uint32_t major,
		    uint32_t minor, uint32_t access)
{
	const struct request q = {
		.access_type =
			access << 16 | (type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK),
		.major = major,
		.minor = minor,
	};
	const struct spec_device_rule *list[8];
	struct bpf_insn program[256];
	int len;

	for (size_t i = 0; i < n; i++)
		list[i] = &rules[i];
	len = cgroup_device_program(list, n, program, ARRAY_SIZE(program));
	assert_true(len > 0);
	return answer(program, len, &q);
}

static void the_last_rule_that_matches_decides(void **state UNUSED)
{
	static const struct spec_device_rule rules[] = {
		{ false, 'a', -1, -1, RWM },
		{ true, 'c', 1, -1, RWM },
		{ false, 'c', 1, 11, DEVICE_ACCESS_WRITE },
		{ true, 'b', 8, 0, DEVICE_ACCESS_READ },
	};
	const size_t n = ARRAY_SIZE(rules);

	assert_true(allowed(rules, n, 'c', 1, 3, RWM));
	assert_false(allowed(rules, n, 'c', 2, 3, DEVICE_ACCESS_READ));
	assert_false(allowed(rules, n, 'c', 1, 11, DEVICE_ACCESS_WRITE));
	assert_false(allowed(rules, n, 'c', 1, 11, RWM));
	assert_true(allowed(rules, n, 'c', 1, 11, DEVICE_ACCESS_READ));
	assert_true(allowed(rules, n, 'b', 8, 0, DEVICE_ACCESS_READ));
	assert_false(allowed(rules, n, 'b', 8, 0, DEVICE_ACCESS_READ | DEVICE_ACCESS_WRITE));
	assert_false(allowed(rules, n, 'b', 8, 1, DEVICE_ACCESS_READ));
	assert_false(allowed(rules, n, 'b', 1, 3, DEVICE_ACCESS_READ));
}

static void without_a_match_nothing_is_denied(void **state UNUSED)
{
	static const struct spec_device_rule rules[] = { { false, 'c', 1, 1, RWM } };

	assert_true(allowed(rules, 1, 'c', 1, 2, RWM));
	assert_false(allowed(rules, 1, 'c', 1, 1, DEVICE_ACCESS_READ));
}

static void too_many_rules_are_refused(void **state UNUSED)
{
	static const struct spec_device_rule rule = { true, 'c', 1, 1, DEVICE_ACCESS_READ };
	const struct spec_device_rule *list[100];
	struct bpf_insn program[64];

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = &rule;
	assert_int_equal(cgroup_device_program(list, ARRAY_SIZE(list), program, 64), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_rule_that_matches_decides),
		cmocka_unit_test(without_a_match_nothing_is_denied),
		cmocka_unit_test(too_many_rules_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
