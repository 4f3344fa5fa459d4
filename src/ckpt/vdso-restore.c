/*
 * vdso-restore: the kernel's shared object in a task that had it elsewhere.
 *
 * The kernel maps [vvar], [vvar_vclock] and [vdso] side by side, once, at exec.
 * All restored tasks inherit M's and move them to where the task had its own:
 * first beside the area, so that M's memory can be unmapped, then into place.
 *
 * Programs keep addresses of its functions, so its code must be the same, byte
 * by byte. Compared is all but the zero bytes at its end: an engine may have
 * planted its return stub there, as this one does.
 */
#include <elf.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc-maps.h"
#include "ckpt/mem-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/vma-status.h"
#include "trace/slot.h"

#define VDSO_CODE_MAX (64 << 10)

static int find_padding(struct vdso *v, struct error *err)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)(uintptr_t)v->code;
	uint64_t size = v->code_end - v->code;
	uint64_t end;
	size_t slot;

	if (size > VDSO_CODE_MAX || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
		return err_set(err, -EOPNOTSUPP, "the kernel's vDSO is no ELF image");
	end = head->e_shoff + (uint64_t)head->e_shnum * head->e_shentsize;
	if (head->e_shoff > size || end > size)
		return err_set(err, -EOPNOTSUPP, "the kernel's vDSO has its sections cut off");
	v->padding = (end + 15) & ~UINT64_C(15);
	for (uint64_t i = v->padding; i < size; i++)
		if (((const uint8_t *)(uintptr_t)v->code)[i])
			return err_set(err, -EOPNOTSUPP, "the kernel's vDSO uses all its pages");
	return slot_padding_of(head, size, &slot, err);
}

/* Where the stub goes: the first slot, so that a later dump knows whose it is. */
static uint64_t slot_offset(const struct vdso *v)
{
	size_t offset = 0;

	(void)slot_padding_of((const void *)(uintptr_t)v->code, v->code_end - v->code, &offset,
			      NULL); /* vdso_find() has seen that there is one */
	return offset;
}

int vdso_find(struct restore *r, struct error *err)
{
	cleanup_proc_maps struct proc_maps maps = { .vmas = NULL };
	struct vdso *v = &r->vdso;
	int ret = proc_maps_of(getpid(), &maps, err);

	if (ret < 0)
		return ret;
	v->n = 0;
	for (size_t i = 0; i < maps.n; i++) {
		const struct proc_vma *m = &maps.vmas[i];
		bool code = strcmp(m->name, "[vdso]") == 0;

		if (!code && strncmp(m->name, "[vvar", 5) != 0)
			continue;
		if (v->n == VDSO_PARTS_MAX || (v->n && v->parts[v->n - 1].end != m->start))
			return err_set(err, -EOPNOTSUPP,
				       "the kernel's vDSO is laid out unknowably");
		v->parts[v->n++] = (struct vdso_part){ m->start, m->end };
		if (code) {
			v->code = m->start;
			v->code_end = m->end;
		}
	}
	if (!v->code)
		return err_set(err, -EOPNOTSUPP, "this kernel gives programs no vDSO");
	if (v->parts[v->n - 1].end - v->parts[0].start > RESTORE_PARK)
		return err_set(err, -EOPNOTSUPP,
			       "the kernel's vDSO is larger than %" PRIu64 " bytes", RESTORE_PARK);
	return find_padding(v, err);
}

size_t vdso_room(const struct restore *r UNUSED)
{
	return STUB_LEN_MAX;
}

static int refuse(const struct rtask *t, struct error *err)
{
	err_set(err, -EOPNOTSUPP, "task %u (%s) has the vDSO of another kernel", t->pid,
		rtask_comm(t));
	err_hint(err, "restore it under the kernel it was dumped under");
	return -EOPNOTSUPP;
}

int vdso_check(struct restore *r, struct rtask *t, struct error *err)
{
	const struct vdso *v = &r->vdso;
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;

	for (size_t i = 0; i < t->mm->n_vmas; i++) {
		const VmaEntry *m = t->mm->vmas[i];

		if (!(m->status & (VMA_AREA_VDSO | VMA_AREA_VVAR)))
			continue;
		low = m->start < low ? m->start : low;
		high = m->end > high ? m->end : high;
		if (m->status & VMA_AREA_VDSO)
			t->vdso = m;
	}
	if (!t->vdso)
		return err_set(err, -EOPNOTSUPP,
			       "task %u (%s) has unmapped its vDSO, which can't be rebuilt yet",
			       t->pid, rtask_comm(t));
	if (t->vdso->end - t->vdso->start != v->code_end - v->code ||
	    t->vdso->start - low != v->code - v->parts[0].start ||
	    high - low != v->parts[v->n - 1].end - v->parts[0].start)
		return refuse(t, err);
	return 0;
}

int vdso_compare(const struct restore *r, int fd, uint64_t offset, uint64_t at, uint64_t len,
		 struct error *err)
{
	uint8_t page[4096];

	for (; len; at += sizeof(page), offset += sizeof(page), len -= sizeof(page)) {
		uint64_t n = at < r->vdso.padding ? r->vdso.padding - at : 0;
		int ret = fd_pread_all(fd, page, sizeof(page), offset);

		if (ret < 0)
			return err_set(err, ret, "read the vDSO's content");
		if (n > sizeof(page))
			n = sizeof(page);
		if (memcmp(page, (const uint8_t *)(uintptr_t)r->vdso.code + at, n) != 0) {
			err_set(err, -EOPNOTSUPP, "the vDSO is that of another kernel");
			err_hint(err, "restore it under the kernel it was dumped under");
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

static void tape_move(struct rtask *t, const struct vdso *v, uint64_t from, uint64_t to,
		      const char *label)
{
	for (size_t i = 0; i < v->n; i++) {
		uint64_t at = v->parts[i].start - v->parts[0].start;
		uint64_t len = v->parts[i].end - v->parts[i].start;
		uint32_t entry = tape_call(
			t->memory, SYS_mremap,
			TAPE_ARGS(tape_imm(from + at), tape_imm(len), tape_imm(len),
				  tape_imm(MREMAP_MAYMOVE | MREMAP_FIXED), tape_imm(to + at)),
			"%s", label);

		tape_expect(t->memory, entry, PIE_RULE_EQUAL, (int64_t)(to + at));
	}
}

void vdso_tape_park(struct restore *r, struct rtask *t)
{
	const struct rtask *image = rtask_image(t);
	uint64_t before = r->vdso.code - r->vdso.parts[0].start;

	tape_move(t, &r->vdso, (image ? image->vdso->start : r->vdso.code) - before,
		  r->base - RESTORE_PARK, "moving the vDSO beside the area");
}

void vdso_tape_place(struct restore *r, struct rtask *t)
{
	uint64_t before = r->vdso.code - r->vdso.parts[0].start;

	tape_move(t, &r->vdso, r->base - RESTORE_PARK, t->vdso->start - before,
		  "moving the vDSO into place");
}

uint64_t vdso_tape_code(struct restore *r, struct rtask *t, const void *code, size_t len)
{
	uint64_t at = t->vdso->start + slot_offset(&r->vdso);
	uint64_t size = t->vdso->end - t->vdso->start;
	struct slot slot = { .head = { .magic = SLOT_MAGIC, .sequence = 1 } };

	slot.head.area = r->base;
	slot.head.area_size = RESTORE_HOLE;
	memcpy(slot.stub, code, len < sizeof(slot.stub) ? len : sizeof(slot.stub));

	/* All of it is made writable: parts of it could never be joined again. */
	tape_call(t->become, SYS_mprotect,
		  TAPE_ARGS(tape_imm(t->vdso->start), tape_imm(size),
			    tape_imm(PROT_READ | PROT_WRITE | PROT_EXEC)),
		  "planting the return stub");
	tape_op(t->become, PIE_OP_COPY,
		TAPE_ARGS(tape_imm(at), tape_at(area_add(&r->area, &slot, sizeof(slot))),
			  tape_imm(sizeof(slot))),
		"planting the return stub");
	tape_call(t->become, SYS_mprotect,
		  TAPE_ARGS(tape_imm(t->vdso->start), tape_imm(size),
			    tape_imm(PROT_READ | PROT_EXEC)),
		  "planting the return stub");
	return at + offsetof(struct slot, stub);
}
