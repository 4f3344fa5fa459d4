/*
 * regs-restore: from the player into the task's program.
 *
 * The last entry of a become tape is rt_sigreturn(2) from a frame in the area.
 * It sets the FPU and all general registers, and goes on in a stub in the
 * padding of the task's vDSO, which unmaps the area, opens the signal mask (not
 * before: a handler that never returns would keep the area mapped) and puts
 * right the few registers that took:
 *
 *	frame	rax = munmap, rdi = area, rsi = its length, rip = stub; others final
 *	stub	syscall
 *		rt_sigprocmask(SIG_SETMASK, mask, NULL, 8)
 *		mov rax, rdi, rsi, rdx, r10, rcx, r11 <- final values
 *		jmp [rip]		       -> final rip
 *		mask
 *
 * Nothing of the engine is mapped then, and no flag was changed.
 */
#include <asm/prctl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/regs-restore.h"
#include "ckpt/restore-priv.h"

/* Results of an interrupted system call that a program never sees (linux/errno.h). */
#define K_ERESTARTSYS 512
#define K_ERESTARTNOINTR 513
#define K_ERESTARTNOHAND 514
#define K_ERESTART_RESTARTBLOCK 516

/* The kernel's struct ucontext, x86-64. */
struct frame {
	uint64_t uc_flags;
	uint64_t uc_link;
	uint64_t stack_sp;
	int32_t stack_flags;
	int32_t pad;
	uint64_t stack_size;
	struct frame_context context;
	uint64_t mask;
};

#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4

#define FX_SIZE 512
#define XSAVE_HEADER 64
#define XSTATE_MAGIC1 0x46505853u
#define XSTATE_MAGIC2 0x46505845u

/* fxsave's layout. The last 48 bytes are the kernel's note on what follows. */
struct fx_area {
	uint16_t cwd, swd, twd, fop;
	uint64_t rip, rdp;
	uint32_t mxcsr, mxcsr_mask;
	uint32_t st[32];
	uint32_t xmm[64];
	uint32_t padding[12];
	uint32_t magic1;
	uint32_t extended_size;
	uint64_t features;
	uint32_t state_size;
	uint32_t rest[7];
};

_Static_assert(sizeof(struct fx_area) == FX_SIZE, "fxsave area");

/* An extended state component, by its bit in XCR0. */
struct component {
	unsigned int bit;
	const char *name;
	const void *data;
	size_t size;
};

static size_t list_components(const UserX86XsaveEntry *x, struct component list[8])
{
	size_t n = 0;

	if (x->n_ymmh_space)
		list[n++] = (struct component){ 2, "AVX", x->ymmh_space, x->n_ymmh_space * 4 };
	if (x->n_bndreg_state)
		list[n++] = (struct component){ 3, "MPX", x->bndreg_state, x->n_bndreg_state * 8 };
	if (x->n_bndcsr_state)
		list[n++] = (struct component){ 4, "MPX", x->bndcsr_state, x->n_bndcsr_state * 8 };
	if (x->n_opmask_reg)
		list[n++] = (struct component){ 5, "AVX-512", x->opmask_reg, x->n_opmask_reg * 8 };
	if (x->n_zmm_upper)
		list[n++] = (struct component){ 6, "AVX-512", x->zmm_upper, x->n_zmm_upper * 8 };
	if (x->n_hi16_zmm)
		list[n++] = (struct component){ 7, "AVX-512", x->hi16_zmm, x->n_hi16_zmm * 8 };
	if (x->n_pkru)
		list[n++] = (struct component){ 9, "protection keys", x->pkru, x->n_pkru * 4 };
	return n;
}

/* The extended state behind the fxsave area; returns how long both are. */
static int fill_xstate(const struct restore *r, const struct rtask *t, const UserX86XsaveEntry *x,
		       uint8_t *state, size_t max, uint64_t *ret_features, size_t *ret_size,
		       struct error *err)
{
	struct component list[8];
	uint64_t enabled = r->xstate.enabled;
	uint64_t present = x->xstate_bv;
	uint64_t known = 3; /* x87 and SSE: the fxsave area */
	size_t size = FX_SIZE + XSAVE_HEADER;
	size_t n = list_components(x, list);

	for (size_t i = 0; i < n; i++) {
		size_t length = r->xstate.parts[list[i].bit].size;
		size_t offset = r->xstate.parts[list[i].bit].offset;

		if (!(enabled >> list[i].bit & 1)) {
			if (!(present >> list[i].bit & 1))
				continue; /* nothing in it */
			return err_set(err, -EOPNOTSUPP,
				       "task %u (%s) uses %s, which this processor lacks", t->pid,
				       rtask_comm(t), list[i].name);
		}
		if (offset < FX_SIZE + XSAVE_HEADER || offset + length > max)
			return err_set(err, -EOPNOTSUPP, "the processor's %s state is too large",
				       list[i].name);
		memcpy(state + offset, list[i].data, list[i].size < length ? list[i].size : length);
		if (offset + length > size)
			size = offset + length;
		known |= UINT64_C(1) << list[i].bit;
	}
	present &= ~(UINT64_C(1) << 11 | UINT64_C(1) << 12); /* supervisor states */
	if (present & ~known)
		return err_set(err, -EOPNOTSUPP,
			       "task %u (%s) uses extended processor state %#" PRIx64, t->pid,
			       rtask_comm(t), present & ~known);
	memcpy(state + FX_SIZE, &present, sizeof(present));
	*ret_features = known;
	*ret_size = size;
	return 0;
}

static int fill_fx(const struct rthread *th, struct fx_area *ret_fx, struct error *err)
{
	const UserX86FpregsEntry *f = th->core->thread_info->fpregs;
	struct fx_area fx = {
		.cwd = (uint16_t)f->cwd,
		.swd = (uint16_t)f->swd,
		.twd = (uint16_t)f->twd,
		.fop = (uint16_t)f->fop,
		.rip = f->rip,
		.rdp = f->rdp,
		/* Reserved bits would make the kernel kill the task. */
		.mxcsr = f->mxcsr & (f->mxcsr_mask ? f->mxcsr_mask : 0xffbf),
		.mxcsr_mask = f->mxcsr_mask,
	};

	if (f->n_st_space > 32 || f->n_xmm_space > 64)
		return err_set(err, -EBADMSG, "core-%u.img: FPU record of a wrong size", th->tid);
	memcpy(fx.st, f->st_space, f->n_st_space * 4);
	memcpy(fx.xmm, f->xmm_space, f->n_xmm_space * 4);
	*ret_fx = fx;
	return 0;
}

#define STATE_MAX 4096

/* What a signal frame has of it. */
static int fill_fpu(const struct restore *r, const struct rtask *t, uint8_t state[STATE_MAX + 4],
		    size_t *ret_size, struct error *err)
{
	const UserX86FpregsEntry *f = t->core->thread_info->fpregs;
	uint32_t magic2 = XSTATE_MAGIC2;
	size_t size = FX_SIZE;
	struct fx_area fx;
	int fxret = fill_fx(&t->threads[0], &fx, err);

	if (fxret < 0)
		return fxret;
	if (f->xsave) {
		int ret = fill_xstate(r, t, f->xsave, state, STATE_MAX, &fx.features, &size, err);

		if (ret < 0)
			return ret;
		fx.magic1 = XSTATE_MAGIC1;
		fx.state_size = (uint32_t)size;
		fx.extended_size = (uint32_t)(size + sizeof(magic2));
		memcpy(state + size, &magic2, sizeof(magic2));
		size += sizeof(magic2);
	}
	memcpy(state, &fx, sizeof(fx));
	*ret_size = size;
	return 0;
}

/* Where the kernel would let an interrupted call go on when no handler runs. */
static void restart_call(const UserX86RegsEntry *regs, struct frame_context *c)
{
	if ((int64_t)regs->orig_ax < 0)
		return;
	switch (-(int64_t)regs->ax) {
	case K_ERESTARTSYS:
	case K_ERESTARTNOINTR:
	case K_ERESTARTNOHAND:
	/* How long it had still to wait is known to the old task's kernel state only:
	 * the call is made anew. */
	case K_ERESTART_RESTARTBLOCK:
		c->ax = regs->orig_ax;
		c->ip -= 2;
		break;
	default:
		break;
	}
}

/* Leaves fpstate alone. */
static void general(const UserX86RegsEntry *regs, struct frame_context *c)
{
	c->r8 = regs->r8;
	c->r9 = regs->r9;
	c->r10 = regs->r10;
	c->r11 = regs->r11;
	c->r12 = regs->r12;
	c->r13 = regs->r13;
	c->r14 = regs->r14;
	c->r15 = regs->r15;
	c->di = regs->di;
	c->si = regs->si;
	c->bp = regs->bp;
	c->bx = regs->bx;
	c->dx = regs->dx;
	c->ax = regs->ax;
	c->cx = regs->cx;
	c->sp = regs->sp;
	c->ip = regs->ip;
	c->flags = regs->flags;
	c->cs = (uint16_t)regs->cs;
	c->ss = (uint16_t)regs->ss;
	restart_call(regs, c);
}

static size_t put(uint8_t *p, size_t at, const void *code, size_t len)
{
	memcpy(p + at, code, len);
	return at + len;
}

static size_t put_mov(uint8_t *p, size_t at, uint8_t rex, uint8_t opcode, uint64_t value)
{
	at = put(p, at, (const uint8_t[]){ rex, opcode }, 2);
	return put(p, at, &value, sizeof(value));
}

static size_t build_stub(const struct frame_context *c, uint64_t mask, uint8_t *p)
{
	static const uint8_t call[] = { 0x0f, 0x05 };
	static const uint8_t jump[] = { 0xff, 0x25, 8, 0, 0, 0 }; /* over the mask */
	static const uint8_t set_mask[] = {
		0xb8, SYS_rt_sigprocmask,
		0,    0,
		0, /* mov eax */
		0xbf, SIG_SETMASK,
		0,    0,
		0, /* mov edi */
		0xba, 0,
		0,    0,
		0, /* mov edx */
		0x41, 0xba,
		8,    0,
		0,    0, /* mov r10d */
		0x48, 0x8d,
		0x35, 78,
		0,    0,
		0, /* lea rsi: the mask, behind what follows */
	};
	size_t n = put(p, 0, call, sizeof(call));

	n = put(p, n, set_mask, sizeof(set_mask));
	n = put(p, n, call, sizeof(call));
	n = put_mov(p, n, 0x48, 0xb8, c->ax);
	n = put_mov(p, n, 0x48, 0xbf, c->di);
	n = put_mov(p, n, 0x48, 0xbe, c->si);
	n = put_mov(p, n, 0x48, 0xba, c->dx);
	n = put_mov(p, n, 0x49, 0xba, c->r10);
	n = put_mov(p, n, 0x48, 0xb9, c->cx);
	n = put_mov(p, n, 0x49, 0xbb, c->r11);
	n = put(p, n, jump, sizeof(jump));
	n = put(p, n, &mask, sizeof(mask)); /* 2 + 7 * 10 + 6 bytes behind the lea */
	return put(p, n, &c->ip, sizeof(c->ip));
}

#define STUB_MAX 160

int regs_tape_frame(struct restore *r, struct rtask *t, uint64_t *ret_frame, struct error *err)
{
	const UserX86RegsEntry *regs = t->core->thread_info->gpregs;
	const ThreadSasEntry *sas = t->core->thread_core->sas;
	uint8_t state[STATE_MAX + 4] = { 0 };
	uint8_t stub[STUB_MAX];
	size_t state_size = 0;
	size_t stub_size;
	uint64_t state_at;
	int ret;
	struct frame frame = {
		.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		.stack_sp = sas ? sas->ss_sp : 0,
		.stack_flags = sas ? (int32_t)sas->ss_flags : SS_DISABLE,
		.stack_size = sas ? sas->ss_size : 0,
		.mask = ~UINT64_C(0),
	};

	ret = fill_fpu(r, t, state, &state_size, err);
	if (ret < 0)
		return ret;
	if (t->core->thread_info->fpregs->xsave)
		frame.uc_flags |= UC_FP_XSTATE;
	state_at = area_alloc(&r->area, state_size, 64);
	if (area_data(&r->area, state_at))
		memcpy(area_data(&r->area, state_at), state, state_size);
	frame.context.fpstate = restore_addr(r, state_at);
	general(regs, &frame.context);
	stub_size = build_stub(&frame.context, signal_mask(&t->threads[0]), stub);
	if (stub_size > vdso_room(r))
		return err_set(err, -EOPNOTSUPP, "the kernel's vDSO has no room for a return stub");
	t->threads[0].final = arena_memdup(&r->arena, &frame.context, sizeof(frame.context));
	if (!t->threads[0].final)
		return err_oom(err);
	t->stub = vdso_tape_code(r, t, stub, stub_size);
	t->stub_size = stub_size;
	frame.context.ip = t->stub;
	frame.context.ax = SYS_munmap;
	frame.context.di = r->base;
	frame.context.si = RESTORE_HOLE;
	*ret_frame = area_add(&r->area, &frame, sizeof(frame));

	tape_call(t->become, SYS_arch_prctl,
		  TAPE_ARGS(tape_imm(ARCH_SET_FS), tape_imm(regs->fs_base)), "base of segment FS");
	tape_call(t->become, SYS_arch_prctl,
		  TAPE_ARGS(tape_imm(ARCH_SET_GS), tape_imm(regs->gs_base)), "base of segment GS");
	return 0;
}

static int plan_xstate(struct restore *r, const struct rtask *t, struct rthread *th,
		       struct thread_state *s, struct error *err)
{
	const UserX86FpregsEntry *f = th->core->thread_info->fpregs;
	uint64_t features = 3; /* without a record of more: x87 and SSE */
	size_t used = 0;
	struct fx_area fx;
	int ret = fill_fx(th, &fx, err);

	if (ret < 0)
		return ret;
	s->xstate_size = r->xstate.size; /* ptrace wants all that is enabled */
	if (s->xstate_size < FX_SIZE + XSAVE_HEADER)
		return err_set(err, -EOPNOTSUPP, "this processor has no XSAVE");
	s->xstate = arena_new_array(&r->arena, uint8_t, s->xstate_size);
	if (!s->xstate)
		return err_oom(err);
	memcpy(s->xstate, &fx, sizeof(fx));
	if (!f->xsave) {
		memcpy((uint8_t *)s->xstate + FX_SIZE, &features, sizeof(features));
		return 0;
	}
	return fill_xstate(r, t, f->xsave, s->xstate, s->xstate_size, &features, &used, err);
}

int regs_plan_thread(struct restore *r, const struct rtask *t, struct rthread *th,
		     struct error *err)
{
	const UserX86RegsEntry *regs = th->core->thread_info->gpregs;
	struct thread_state *s = arena_new(&r->arena, struct thread_state);
	struct frame_context c = { 0 };

	if (!s)
		return err_oom(err);
	general(regs, &c);
	s->mask = signal_mask(th);
	s->regs = (struct user_regs_struct){
		.r15 = c.r15,
		.r14 = c.r14,
		.r13 = c.r13,
		.r12 = c.r12,
		.rbp = c.bp,
		.rbx = c.bx,
		.r11 = c.r11,
		.r10 = c.r10,
		.r9 = c.r9,
		.r8 = c.r8,
		.rax = c.ax,
		.rcx = c.cx,
		.rdx = c.dx,
		.rsi = c.si,
		.rdi = c.di,
		.orig_rax = ~0ull, /* no call to restart */
		.rip = c.ip,
		.cs = c.cs,
		.eflags = c.flags,
		.rsp = c.sp,
		.ss = c.ss,
		.fs_base = regs->fs_base,
		.gs_base = regs->gs_base,
	};
	th->state = s;
	return plan_xstate(r, t, th, s, err);
}

void regs_tape_leave(struct restore *r UNUSED, struct rtask *t, uint64_t frame)
{
	tape_op(t->become, PIE_OP_SIGRETURN, TAPE_ARGS(tape_at(frame)),
		"returning into the program");
}
