/*
 * sysv-attach-restore: segments attached where they were.
 *
 * shmat(2) attaches all of a segment. The mappings of one attachment are what
 * is left of it: parts with rights of their own, perhaps with gaps. So the
 * whole is attached while the address space is still empty, then the gaps are
 * unmapped, then the parts get their rights; other mappings may lie in the gaps.
 *
 *	segment     |0---------------size|
 *	attached    AAAAAAAAAAAAAAAAAAAAAA
 *	mappings    rw rw .... r- ........
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sysv-priv.h"
#include "ckpt/sysv.h"
#include "ckpt/vma-status.h"

void sysv_extent(const struct restore *r, const VmaEntry *v, uint64_t *ret_start, uint64_t *ret_end)
{
	const struct rsegment *s = NULL;

	*ret_start = v->start;
	*ret_end = v->end;
	if (v->status & VMA_AREA_SYSVIPC && v->pgoff < v->start)
		s = sysv_find_segment(r, v->shmid);
	if (!s)
		return;
	*ret_start = v->start - v->pgoff;
	if (*ret_start + rsegment_size(s) > v->end)
		*ret_end = *ret_start + rsegment_size(s);
}

/* One attachment of a task. */
struct attachment {
	const struct rsegment *segment;
	uint64_t start;
	uint64_t end;
	uint32_t access; /* how it was attached: O_RDONLY or O_RDWR */
	bool executable;
};

static uint32_t access_of(const VmaEntry *v)
{
	return v->has_fdflags ? v->fdflags & O_ACCMODE : (uint32_t)O_RDWR;
}

static bool is_part(const struct attachment *a, const VmaEntry *v)
{
	return v->status & VMA_AREA_SYSVIPC && v->shmid == a->segment->e->desc->id &&
	       v->start - v->pgoff == a->start && access_of(v) == a->access;
}

static int refuse(const struct rtask *t, const VmaEntry *v, const char *why, struct error *err)
{
	return err_set(err, -EOPNOTSUPP,
		       "task %u (%s): mapping %" PRIx64 "-%" PRIx64 " of System V segment %" PRIu64
		       ": %s",
		       t->pid, rtask_comm(t), v->start, v->end, v->shmid, why);
}

/* The attachment that begins with mapping `first`. */
static int find_attachment(struct restore *r, const struct rtask *t, size_t first,
			   struct attachment *a, struct error *err)
{
	const MmEntry *mm = t->mm;
	const VmaEntry *v = mm->vmas[first];

	a->segment = sysv_find_segment(r, v->shmid);
	if (!a->segment)
		return refuse(t, v, "it is not in the images", err);
	if (v->pgoff >= v->start)
		return refuse(t, v, "bad offset", err);
	a->start = v->start - v->pgoff;
	a->end = a->start + rsegment_size(a->segment);
	a->access = access_of(v);
	a->executable = false;
	if (v->end > a->end || a->end > RESTORE_TASK_SIZE)
		return refuse(t, v, "it is larger than its segment", err);
	if (a->start < r->base + RESTORE_HOLE && a->end > r->base - RESTORE_PARK)
		return refuse(t, v, "there is no room to attach all of it", err);
	for (size_t i = 0; i < mm->n_vmas; i++) {
		const VmaEntry *other = mm->vmas[i];

		if (other->end <= a->start || other->start >= a->end)
			continue;
		if (is_part(a, other))
			a->executable |= other->prot & PROT_EXEC;
		else if (i < first && other->status & VMA_AREA_SYSVIPC)
			return refuse(t, v, "it overlaps another attached segment", err);
		else if (other->status & (VMA_AREA_VDSO | VMA_AREA_VVAR))
			return refuse(t, v, "the vDSO lies where it was", err);
	}
	return 0;
}

static void tape_gap(struct rtask *t, uint64_t start, uint64_t end)
{
	if (start < end)
		tape_call(t->memory, SYS_munmap, TAPE_ARGS(tape_imm(start), tape_imm(end - start)),
			  "detaching %" PRIx64 "-%" PRIx64, start, end);
}

static void tape_attachment(struct rtask *t, size_t first, const struct attachment *a, bool *done)
{
	const MmEntry *mm = t->mm;
	bool readonly = a->access == O_RDONLY;
	uint32_t given =
		PROT_READ | (readonly ? 0u : PROT_WRITE) | (a->executable ? PROT_EXEC : 0u);
	uint32_t id = a->segment->e->desc->id;
	uint64_t at = a->start;
	uint32_t entry = tape_call(
		t->memory, SYS_shmat,
		TAPE_ARGS(tape_imm(id), tape_imm(a->start),
			  tape_imm((readonly ? SHM_RDONLY : 0u) | (a->executable ? SHM_EXEC : 0u))),
		"attaching System V segment %u at %" PRIx64, id, a->start);

	tape_expect(t->memory, entry, PIE_RULE_EQUAL, (int64_t)a->start);
	for (size_t i = first; i < mm->n_vmas && mm->vmas[i]->start < a->end; i++) {
		const VmaEntry *v = mm->vmas[i];

		if (!is_part(a, v))
			continue;
		done[i] = true;
		tape_gap(t, at, v->start);
		at = v->end;
		if (v->prot != given)
			tape_call(t->memory, SYS_mprotect,
				  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
					    tape_imm(v->prot)),
				  "protecting %" PRIx64 "-%" PRIx64, v->start, v->end);
		if (v->flags & MAP_LOCKED)
			tape_call(t->memory, SYS_mlock,
				  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start)),
				  "locking %" PRIx64 "-%" PRIx64, v->start, v->end);
	}
	tape_gap(t, at, a->end);
}

int sysv_tape_attach(struct restore *r, struct rtask *t, struct error *err)
{
	cleanup_free bool *done = calloc(t->mm->n_vmas + 1, sizeof(*done));

	if (!done)
		return err_oom(err);
	for (size_t i = 0; i < t->mm->n_vmas; i++) {
		struct attachment a;
		int ret;

		if (done[i] || !(t->mm->vmas[i]->status & VMA_AREA_SYSVIPC))
			continue;
		ret = find_attachment(r, t, i, &a, err);
		if (ret < 0)
			return ret;
		tape_attachment(t, i, &a, done);
	}
	return 0;
}

/* The kernel's mark for "remove it when nobody has it attached". */
static bool is_removed(const struct rsegment *s)
{
	return s->e->desc->mode & SHM_DEST;
}

bool sysv_has_removed(const struct restore *r)
{
	for (size_t i = 0; r->sysv && i < r->sysv->n_segments; i++)
		if (is_removed(&r->sysv->segments[i]))
			return true;
	return false;
}

void sysv_tape_remove(struct restore *r)
{
	for (size_t i = 0; r->sysv && i < r->sysv->n_segments; i++)
		if (is_removed(&r->sysv->segments[i]))
			tape_call(r->root->become, SYS_shmctl,
				  TAPE_ARGS(tape_imm(r->sysv->segments[i].e->desc->id),
					    tape_imm(IPC_RMID)),
				  "removing System V segment %u while it is attached",
				  r->sysv->segments[i].e->desc->id);
}
