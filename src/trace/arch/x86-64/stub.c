#include "trace/stub.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

/* Registers by their numbers in instruction encodings. */
enum reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct code {
	uint8_t *at;
	size_t len;
};

static void put(struct code *code, const void *bytes, size_t len)
{
	assert(code->len + len <= STUB_LEN_MAX);
	memcpy(code->at + code->len, bytes, len);
	code->len += len;
}

#define PUT(code, ...)                                                                             \
	put((code), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* movabs reg, value; returns the offset of the constant. */
static size_t put_mov64(struct code *code, enum reg reg, uint64_t value)
{
	PUT(code, (uint8_t)(0x48 | (reg >> 3)), (uint8_t)(0xb8 | (reg & 7)));
	put(code, &value, sizeof(value));
	return code->len - sizeof(value);
}

/* mov reg32, value: clears the upper half, touches no flag (xor would). */
static void put_mov32(struct code *code, enum reg reg, uint32_t value)
{
	if (reg >= R8)
		PUT(code, 0x41);
	PUT(code, (uint8_t)(0xb8 | (reg & 7)));
	put(code, &value, sizeof(value));
}

static void put_syscall(struct code *code, uint32_t nr)
{
	put_mov32(code, RAX, nr);
	PUT(code, 0x0f, 0x05);
}

/* Leaves room for a rip-relative offset; returns where it is. */
static size_t put_rel32(struct code *code)
{
	static const uint32_t none;

	put(code, &none, sizeof(none));
	return code->len - sizeof(none);
}

static void fix_rel32(struct code *code, size_t rel, size_t target)
{
	int32_t offset = (int32_t)(target - (rel + sizeof(offset)));

	memcpy(code->at + rel, &offset, sizeof(offset));
}

static void put_ping(struct code *code, const struct stub_spec *spec)
{
	if (spec->ns_tid) {
		put_mov32(code, RDI, (uint32_t)spec->ns_tgid);
		put_mov32(code, RSI, (uint32_t)spec->ns_tid);
	} else {
		put_syscall(code, SYS_getpid);
		PUT(code, 0x89, 0xc7); /* mov edi, eax */
		put_syscall(code, SYS_gettid);
		PUT(code, 0x89, 0xc6); /* mov esi, eax */
	}
	put_mov32(code, RDX, (uint32_t)spec->signal);
	put_syscall(code, SYS_tgkill);
}

/* Which no system call changes. */
static const enum reg result_regs[STUB_CALLS_MAX] = { R12, R13, R14, R15, RBX };

static void put_calls(struct code *code, const struct stub_spec *spec)
{
	static const enum reg arg_regs[] = { RDI, RSI, RDX };

	assert(spec->n_calls <= STUB_CALLS_MAX);
	for (size_t i = 0; i < spec->n_calls; i++) {
		for (size_t j = 0; j < 3; j++) {
			if (spec->calls[i].args[j] > UINT32_MAX)
				(void)put_mov64(code, arg_regs[j], spec->calls[i].args[j]);
			else
				put_mov32(code, arg_regs[j], (uint32_t)spec->calls[i].args[j]);
		}
		put_syscall(code, spec->calls[i].nr);
		/* mov result, rax */
		PUT(code, (uint8_t)(0x48 | (result_regs[i] >> 3)), 0x89,
		    (uint8_t)(0xc0 | (result_regs[i] & 7)));
	}
}

int64_t stub_result(const struct user_regs_struct *regs, size_t i)
{
	const unsigned long long results[STUB_CALLS_MAX] = { regs->r12, regs->r13, regs->r14,
							     regs->r15, regs->rbx };

	assert(i < STUB_CALLS_MAX);
	return (int64_t)results[i];
}

static void put_unmap(struct code *code, const struct stub_spec *spec, struct stub_layout *layout)
{
	layout->map = code->len;
	if (spec->with_map)
		PUT(code, 0x0f, 0x05, /* syscall */
		    0x48, 0x89, 0xc7, /* mov rdi, rax: a failed mmap's errno is no address, and
				       * the munmap of it does nothing */
		    0xeb, 0x0a);      /* jmp over the next */
	layout->leave = code->len;
	layout->area_imm = put_mov64(code, RDI, spec->area); /* 10 bytes */
	(void)put_mov64(code, RSI, spec->area_size);
	put_syscall(code, SYS_munmap);
}

/* Returns where the offset of the mask has to be put in. */
static size_t put_sigprocmask(struct code *code)
{
	size_t rel;

	put_mov32(code, RDI, SIG_SETMASK);
	PUT(code, 0x48, 0x8d, 0x35); /* lea rsi, [rip + ...] */
	rel = put_rel32(code);
	put_mov32(code, RDX, 0);
	put_mov32(code, R10, sizeof(uint64_t));
	put_syscall(code, SYS_rt_sigprocmask);
	return rel;
}

static void put_registers(struct code *code, const struct user_regs_struct *regs)
{
	(void)put_mov64(code, RAX, regs->rax);
	(void)put_mov64(code, RBX, regs->rbx);
	(void)put_mov64(code, RCX, regs->rcx);
	(void)put_mov64(code, RDX, regs->rdx);
	(void)put_mov64(code, RSI, regs->rsi);
	(void)put_mov64(code, RDI, regs->rdi);
	(void)put_mov64(code, RBP, regs->rbp);
	(void)put_mov64(code, R8, regs->r8);
	(void)put_mov64(code, R9, regs->r9);
	(void)put_mov64(code, R10, regs->r10);
	(void)put_mov64(code, R11, regs->r11);
	(void)put_mov64(code, R12, regs->r12);
	(void)put_mov64(code, R13, regs->r13);
	(void)put_mov64(code, R14, regs->r14);
	(void)put_mov64(code, R15, regs->r15);
}

void stub_emit(const struct stub_spec *spec, uint8_t *out, struct stub_layout *ret_layout)
{
	struct code code = { out, 0 };
	struct stub_layout layout = { 0 };
	uint64_t rip = spec->regs->rip;
	size_t mask_rel = 0;
	size_t rip_rel;

	put_calls(&code, spec);
	if (spec->area_size)
		put_unmap(&code, spec, &layout);
	(void)put_mov64(&code, RSP, spec->regs->rsp);
	if (spec->with_ping)
		put_ping(&code, spec);
	if (spec->with_mask)
		mask_rel = put_sigprocmask(&code);
	put_registers(&code, spec->regs);
	PUT(&code, 0xff, 0x25); /* jmp [rip + ...] */
	rip_rel = put_rel32(&code);
	PUT(&code, 0x0f, 0x0b); /* ud2: the processor need not guess on */

	fix_rel32(&code, rip_rel, code.len);
	put(&code, &rip, sizeof(rip));
	if (spec->with_mask) {
		fix_rel32(&code, mask_rel, code.len);
		put(&code, &spec->sigmask, sizeof(spec->sigmask));
	}
	layout.len = code.len;
	*ret_layout = layout;
}
