/*
 * registers: general, x87, SSE, AVX, AVX-512 and protection-key registers of an
 * x86-64 thread, as thread_info_x86 records.
 *
 * The XSAVE area has the 512 bytes of FXSAVE, a 64-byte header whose first
 * word says which components are in use, and the components at the offsets
 * that CPUID leaf 0xd gives (they differ between vendors).
 */
#include "ckpt/registers.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "trace/regs.h"

#define FXSAVE_SIZE 512
#define XSAVE_HEADER_SIZE 64

/* Intel SDM vol. 1, 10.5.1: what FXSAVE64 writes. */
struct fxsave {
	uint16_t cwd, swd, twd, fop;
	uint64_t rip, rdp;
	uint32_t mxcsr, mxcsr_mask;
	uint32_t st[32];
	uint32_t xmm[64];
	uint32_t reserved[24];
} __attribute__((packed));

_Static_assert(sizeof(struct fxsave) == FXSAVE_SIZE, "FXSAVE layout");

static void set_general(const struct user_regs_struct *regs, UserX86RegsEntry *entry)
{
	user_x86_regs_entry__init(entry);
	entry->r15 = regs->r15;
	entry->r14 = regs->r14;
	entry->r13 = regs->r13;
	entry->r12 = regs->r12;
	entry->bp = regs->rbp;
	entry->bx = regs->rbx;
	entry->r11 = regs->r11;
	entry->r10 = regs->r10;
	entry->r9 = regs->r9;
	entry->r8 = regs->r8;
	entry->ax = regs->rax;
	entry->cx = regs->rcx;
	entry->dx = regs->rdx;
	entry->si = regs->rsi;
	entry->di = regs->rdi;
	entry->orig_ax = regs->orig_rax;
	entry->ip = regs->rip;
	entry->cs = regs->cs;
	entry->flags = regs->eflags;
	entry->sp = regs->rsp;
	entry->ss = regs->ss;
	entry->fs_base = regs->fs_base;
	entry->gs_base = regs->gs_base;
	entry->ds = regs->ds;
	entry->es = regs->es;
	entry->fs = regs->fs;
	entry->gs = regs->gs;
	entry->has_mode = true;
	entry->mode = USER_X86_REGS_MODE__NATIVE;
}

struct component {
	enum xstate_part number;
	const void **data; /* where the record points to */
	size_t *n;
	size_t size; /* of one element */
};

static int set_components(const struct xstate_layout *layout, const char *area, size_t len,
			  struct arena *arena, UserX86XsaveEntry *entry, struct error *err)
{
	struct component components[] = {
		{ XSTATE_YMM, (const void **)&entry->ymmh_space, &entry->n_ymmh_space, 4 },
		{ XSTATE_BNDREGS, (const void **)&entry->bndreg_state, &entry->n_bndreg_state, 8 },
		{ XSTATE_BNDCSR, (const void **)&entry->bndcsr_state, &entry->n_bndcsr_state, 8 },
		{ XSTATE_OPMASK, (const void **)&entry->opmask_reg, &entry->n_opmask_reg, 8 },
		{ XSTATE_ZMM_HI256, (const void **)&entry->zmm_upper, &entry->n_zmm_upper, 8 },
		{ XSTATE_HI16_ZMM, (const void **)&entry->hi16_zmm, &entry->n_hi16_zmm, 8 },
		{ XSTATE_PKRU, (const void **)&entry->pkru, &entry->n_pkru, 4 },
	};
	uint64_t amx = UINT64_C(1) << XSTATE_AMX_DATA;
	uint64_t in_use;

	memcpy(&in_use, area + FXSAVE_SIZE, sizeof(in_use));
	if (in_use & amx)
		return err_set(err, -EOPNOTSUPP,
			       "AMX tile registers are in use: the image format has no place "
			       "for them");
	entry->xstate_bv = in_use;
	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		size_t offset = layout->parts[components[i].number].offset;
		size_t size = layout->parts[components[i].number].size;
		void *copy;

		if (!size || offset > len || size > len - offset)
			continue;
		copy = arena_memdup(arena, area + offset, size);
		if (!copy)
			return err_oom(err);
		*components[i].data = copy;
		*components[i].n = size / components[i].size;
	}
	return 0;
}

static int set_fpu(const struct xstate_layout *layout, const char *area, size_t len,
		   struct arena *arena, UserX86FpregsEntry *entry, struct error *err)
{
	struct fxsave fx;

	if (len < FXSAVE_SIZE + XSAVE_HEADER_SIZE)
		return err_set(err, -EBADMSG, "its extended state has only %zu bytes", len);
	memcpy(&fx, area, sizeof(fx));
	user_x86_fpregs_entry__init(entry);
	entry->cwd = fx.cwd;
	entry->swd = fx.swd;
	entry->twd = fx.twd;
	entry->fop = fx.fop;
	entry->rip = fx.rip;
	entry->rdp = fx.rdp;
	entry->mxcsr = fx.mxcsr;
	entry->mxcsr_mask = fx.mxcsr_mask;
	entry->n_st_space = ARRAY_SIZE(fx.st);
	entry->st_space = arena_memdup(arena, fx.st, sizeof(fx.st));
	entry->n_xmm_space = ARRAY_SIZE(fx.xmm);
	entry->xmm_space = arena_memdup(arena, fx.xmm, sizeof(fx.xmm));
	entry->xsave = arena_new(arena, UserX86XsaveEntry);
	if (!arena_ok(arena))
		return err_oom(err);
	user_x86_xsave_entry__init(entry->xsave);
	return set_components(layout, area, len, arena, entry->xsave, err);
}

#define TLS_SLOTS 3 /* GDT_ENTRY_TLS_MIN.. of the kernel */
#define TLS_FIRST 12

/* Used by 32-bit code only: always empty here, but readers expect the slots. */
static int set_tls(struct arena *arena, ThreadInfoX86 *info, struct error *err)
{
	info->tls = arena_new_array(arena, UserDescT *, TLS_SLOTS);
	if (!info->tls)
		return err_oom(err);
	for (uint32_t i = 0; i < TLS_SLOTS; i++) {
		info->tls[i] = arena_new(arena, UserDescT);
		if (!info->tls[i])
			return err_oom(err);
		user_desc_t__init(info->tls[i]);
		info->tls[i]->entry_number = TLS_FIRST + i;
		info->tls[i]->read_exec_only = true;
		info->tls[i]->seg_not_present = true;
	}
	info->n_tls = TLS_SLOTS;
	return 0;
}

int registers_record(const struct xstate_layout *layout, pid_t host_tid,
		     const struct user_regs_struct *regs, struct arena *arena, ThreadInfoX86 **ret,
		     struct error *err)
{
	ThreadInfoX86 *info = arena_new(arena, ThreadInfoX86);
	cleanup_free void *area = NULL;
	size_t len;
	int r;

	if (!info)
		return err_oom(err);
	thread_info_x86__init(info);
	info->gpregs = arena_new(arena, UserX86RegsEntry);
	info->fpregs = arena_new(arena, UserX86FpregsEntry);
	if (!info->gpregs || !info->fpregs)
		return err_oom(err);
	set_general(regs, info->gpregs);
	r = regs_get_xstate(host_tid, &area, &len, err);
	if (r < 0)
		return r;
	r = set_fpu(layout, area, len, arena, info->fpregs, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", host_tid);
	r = set_tls(arena, info, err);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}
