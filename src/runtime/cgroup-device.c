#include "runtime/cgroup-device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "runtime/cgroup.h"
#include "runtime/spec.h"

#define ALL (DEVICE_ACCESS_READ | DEVICE_ACCESS_WRITE | DEVICE_ACCESS_MKNOD)
#define INSNS_PER_RULE 9
#define INSNS_MAX 4096

/* What every container may use, and the making of any node (opening it is another matter). */
static const struct spec_device_rule defaults[] = {
	{ true, 'c', -1, -1, DEVICE_ACCESS_MKNOD },
	{ true, 'b', -1, -1, DEVICE_ACCESS_MKNOD },
	{ true, 'c', 1, 3, ALL },    /* null */
	{ true, 'c', 1, 5, ALL },    /* zero */
	{ true, 'c', 1, 7, ALL },    /* full */
	{ true, 'c', 1, 8, ALL },    /* random */
	{ true, 'c', 1, 9, ALL },    /* urandom */
	{ true, 'c', 5, 0, ALL },    /* tty */
	{ true, 'c', 5, 1, ALL },    /* console */
	{ true, 'c', 5, 2, ALL },    /* ptmx */
	{ true, 'c', 136, -1, ALL }, /* pts */
};

static void put_number(char *text, size_t size, int64_t number)
{
	if (number < 0)
		(void)snprintf(text, size, "*");
	else
		(void)snprintf(text, size, "%" PRId64, number);
}

static int write_rule(int dir, const struct spec_device_rule *rule, struct error *err)
{
	const char *file = rule->allow ? "devices.allow" : "devices.deny";
	char major[24];
	char minor[24];
	char text[80];

	if (rule->type == 'a')
		return file_poke_at(dir, file, "a", err);
	put_number(major, sizeof(major), rule->major);
	put_number(minor, sizeof(minor), rule->minor);
	(void)snprintf(text, sizeof(text), "%c %s:%s %s%s%s", rule->type, major, minor,
		       rule->access & DEVICE_ACCESS_READ ? "r" : "",
		       rule->access & DEVICE_ACCESS_WRITE ? "w" : "",
		       rule->access & DEVICE_ACCESS_MKNOD ? "m" : "");
	return file_poke_at(dir, file, text, err);
}

static struct bpf_insn load_field(int reg, short offset)
{
	return (struct bpf_insn){ .code = BPF_LDX | BPF_W | BPF_MEM,
				  .dst_reg = (uint8_t)(reg & 15),
				  .src_reg = BPF_REG_1,
				  .off = offset };
}

static struct bpf_insn op(uint8_t code, int reg, short offset, int32_t imm)
{
	return (struct bpf_insn){
		.code = code, .dst_reg = (uint8_t)(reg & 15), .off = offset, .imm = imm
	};
}

/*
 * r2 is the type, r3 the access, r4 and r5 the numbers. Each rule is a run of
 * tests that jump behind it when they don't hold, and an answer at its end.
 */
static size_t put_rule(const struct spec_device_rule *rule, struct bpf_insn *out)
{
	const int32_t access = (int32_t)rule->access;
	const size_t first_jump_fix = 0;
	size_t n = 0;

	if (rule->type != 'a')
		out[n++] = op(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0,
			      rule->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
	if (rule->access != ALL) {
		out[n++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X,
					      .dst_reg = BPF_REG_6,
					      .src_reg = BPF_REG_3 };
		/* Allowing: nothing else may be asked. Denying: any of it is enough. */
		out[n++] = op(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_6, 0,
			      rule->allow ? (int32_t)ALL & ~access : access);
		out[n++] = op((uint8_t)(BPF_JMP | BPF_K | (rule->allow ? BPF_JNE : BPF_JEQ)),
			      BPF_REG_6, 0, 0);
	}
	if (rule->type != 'a' && rule->major >= 0)
		out[n++] = op(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_4, 0,
			      (int32_t)(uint32_t)rule->major);
	if (rule->type != 'a' && rule->minor >= 0)
		out[n++] = op(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_5, 0,
			      (int32_t)(uint32_t)rule->minor);
	out[n++] = op(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, rule->allow);
	out[n++] = op(BPF_JMP | BPF_EXIT, 0, 0, 0);
	for (size_t i = first_jump_fix; i < n; i++) {
		const uint8_t class = out[i].code & 7U;

		if ((class == BPF_JMP || class == BPF_JMP32) && (out[i].code & 0xf0U) != BPF_EXIT)
			out[i].off = (short)(n - i - 1);
	}
	return n;
}

int cgroup_device_program(const struct spec_device_rule *const *rules, size_t n,
			  struct bpf_insn *program, size_t max)
{
	size_t len = 0;

	if (max < 8)
		return -E2BIG;
	program[len++] = load_field(BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	program[len++] = op(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0xffff);
	program[len++] = load_field(BPF_REG_3, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	program[len++] = op(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 16);
	program[len++] = load_field(BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	program[len++] = load_field(BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (size_t i = n; i-- > 0;) {
		if (len + INSNS_PER_RULE + 2 > max)
			return -E2BIG;
		len += put_rule(rules[i], program + len);
		if (rules[i]->type == 'a' && rules[i]->access == ALL)
			return (int)len; /* what stands before never counts */
	}
	program[len++] = op(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 1);
	program[len++] = op(BPF_JMP | BPF_EXIT, 0, 0, 0);
	return (int)len;
}

static int load_program(const struct bpf_insn *insns, int n, struct error *err)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uint64_t)(uintptr_t)insns,
		.insn_cnt = (uint32_t)n,
		.license = (uint64_t)(uintptr_t) "Apache-2.0",
	};
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0)
		return err_sys(err, "load the device rules as an eBPF program");
	return (int)fd;
}

/* The newest program replaces the one before (update), so an old one is detached first. */
static void detach_programs(int dir)
{
	uint32_t ids[64] = { 0 };
	union bpf_attr query = {
		.query.target_fd = (uint32_t)dir,
		.query.attach_type = BPF_CGROUP_DEVICE,
		.query.prog_ids = (uint64_t)(uintptr_t)ids,
		.query.prog_cnt = ARRAY_SIZE(ids),
	};

	if (syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)) < 0)
		return;
	for (uint32_t i = 0; i < query.query.prog_cnt; i++) {
		union bpf_attr by_id = { .prog_id = ids[i] };
		cleanup_fd int fd =
			(int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &by_id, sizeof(by_id));
		union bpf_attr detach = {
			.target_fd = (uint32_t)dir,
			.attach_bpf_fd = (uint32_t)fd,
			.attach_type = BPF_CGROUP_DEVICE,
		};

		if (fd >= 0) /* a program that can't be detached only denies more */
			(void)syscall(SYS_bpf, BPF_PROG_DETACH, &detach, sizeof(detach));
	}
}

static int attach_program(int dir, const struct bpf_insn *insns, int n, struct error *err)
{
	cleanup_fd int prog = load_program(insns, n, err);
	union bpf_attr attr = {
		.target_fd = (uint32_t)dir,
		.attach_bpf_fd = (uint32_t)prog,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	if (prog < 0)
		return prog;
	detach_programs(dir);
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "attach the device rules to the cgroup");
	return 0;
}

static int set_v2(int dir, const struct spec_resources *res, struct error *err)
{
	const size_t n = res->n_devices + ARRAY_SIZE(defaults);
	cleanup_free const struct spec_device_rule **rules = calloc(n, sizeof(*rules));
	cleanup_free struct bpf_insn *program = calloc(INSNS_MAX, sizeof(*program));
	int len;

	if (!rules || !program)
		return err_oom(err);
	for (size_t i = 0; i < n; i++)
		rules[i] = i < res->n_devices ? &res->devices[i] : &defaults[i - res->n_devices];
	len = cgroup_device_program(rules, n, program, INSNS_MAX);
	if (len < 0)
		return err_set(err, len, "linux.resources.devices: too many rules (%zu)",
			       res->n_devices);
	return attach_program(dir, program, len, err);
}

static int set_v1(int dir, const struct spec_resources *res, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < res->n_devices; i++)
		r = write_rule(dir, &res->devices[i], err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(defaults); i++)
		r = write_rule(dir, &defaults[i], err);
	return r;
}

int cgroup_set_devices(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	const struct cgroup_part *v1 = cgroup_find(cg, "devices");
	const struct cgroup_part *part = v1 ? v1 : cgroup_find(cg, "");
	cleanup_fd int dir = -EBADF;

	if (res->n_devices == 0)
		return 0;
	if (!part)
		return err_set(
			err, -EOPNOTSUPP,
			"linux.resources.devices: no cgroup hierarchy here restricts devices");
	dir = cgroup_open_own(cg, part, err);
	if (dir < 0)
		return dir;
	return v1 ? set_v1(dir, res, err) : set_v2(dir, res, err);
}
