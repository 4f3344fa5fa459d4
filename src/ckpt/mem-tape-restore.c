/*
 * mem-tape-restore: the address space of a task, made again mapping by mapping.
 *
 * The tape begins by unmapping all of M's memory but the area and the parked
 * vDSO, so the address space is empty and every mapping goes directly to where
 * it was. Mappings that get content are writable until they have it.
 *
 * A task with a donor (cow-restore.c) is born with that one's memory, at just
 * that stage: mapped and filled, not yet protected, locked or advised. It keeps
 * what is equal, and changes the rest.
 */
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/mem-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sysv.h"

#define AUXV_MAX 64
#define PAGE UINT64_C(4096)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* Flags that come back from an image into mmap(2). */
#define MAP_KEPT                                                                                   \
	(MAP_PRIVATE | MAP_SHARED | MAP_DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN |                \
	 MAP_NORESERVE | MAP_HUGETLB | (63u << 26 /* size of huge pages */))

/* ------------------------------------------------------------------- mapping */

static const char *name_behind(const struct restore *r, const VmaEntry *v)
{
	const struct rfile *file;

	if (v->status & VMA_ANON_SHARED)
		return " of shared memory";
	if (!(v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)))
		return "";
	file = files_find(r, (uint32_t)v->shmid);
	return file->entry->reg ? file->entry->reg->name : " of a memfd";
}

/* The part [start, end) of mapping i. */
static void tape_map_part(struct restore *r, struct rtask *t, size_t i, uint64_t start,
			  uint64_t end)
{
	const VmaEntry *v = t->mm->vmas[i];
	uint64_t flags = (v->flags & MAP_KEPT) | MAP_FIXED;
	const char *name = name_behind(r, v);
	int fd = t->mem->fds[i];
	uint32_t entry;

	flags = fd < 0 ? flags | MAP_ANONYMOUS : flags & ~(uint64_t)MAP_ANONYMOUS;
	entry = tape_call(t->memory, SYS_mmap,
			  TAPE_ARGS(tape_imm(start), tape_imm(end - start),
				    tape_imm(mem_working_prot(t->mem, i, v)), tape_imm(flags),
				    tape_imm((uint64_t)(int64_t)fd),
				    tape_imm(fd < 0 ? 0 : v->pgoff + (start - v->start))),
			  "mapping %" PRIx64 "-%" PRIx64 "%s%s", start, end,
			  *name == '/' ? " of " : "", name);
	tape_expect(t->memory, entry, PIE_RULE_EQUAL, (int64_t)start);
}

/*
 * Memory that grew step by step may be larger than what the kernel gives at once: it
 * refuses "obvious overcommits" of a single call. Parts become one mapping again.
 */
static void tape_map(struct restore *r, struct rtask *t, size_t i, uint64_t start, uint64_t end)
{
	const VmaEntry *v = t->mm->vmas[i];
	const uint32_t whole = MAP_HUGETLB | MAP_NORESERVE | MAP_GROWSDOWN | MAP_DROPPABLE;
	uint64_t step = end - start;

	if (v->status & VMA_ANON_PRIVATE && !(v->flags & whole) && t->mem->fds[i] < 0)
		step = (uint64_t)get_phys_pages() / 2 * PAGE;
	for (; start < end; start += step)
		tape_map_part(r, t, i, start, end - start > step ? start + step : end);
}

static void tape_advice(struct rtask *t, const VmaEntry *v, bool before_content)
{
	for (unsigned int advice = 0; v->has_madv && advice < 64; advice++) {
		bool huge = advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE;
		uint32_t entry;

		if (!(v->madv >> advice & 1) || huge != before_content)
			continue;
		entry = tape_call(t->memory, SYS_madvise,
				  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
					    tape_imm(advice)),
				  "advice %u for %" PRIx64 "-%" PRIx64, advice, v->start, v->end);
		tape_expect(t->memory, entry, PIE_RULE_OK_OR, EINVAL); /* kernel without it */
	}
}

/*
 * Locked once it has its content, not before: else all of it would be read, or
 * zeroed, twice. Memory that could be written, was locked and yet has holes was
 * locked with MLOCK_ONFAULT, of which smaps says nothing.
 */
static void tape_lock(struct rtask *t, const VmaEntry *v, uint64_t filled)
{
	bool sparse =
		v->status & VMA_ANON_PRIVATE && v->prot & PROT_WRITE && filled < v->end - v->start;
	uint32_t entry;

	if (!(v->flags & MAP_LOCKED))
		return;
	entry = tape_call(t->memory, SYS_mlock2,
			  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
				    tape_imm(sparse ? MLOCK_ONFAULT : 0)),
			  "locking %" PRIx64 "-%" PRIx64, v->start, v->end);
	/* Locked it is, but unreadable: so it has no pages. */
	if (!(v->prot & (PROT_READ | PROT_WRITE)))
		tape_expect(t->memory, entry, PIE_RULE_OK_OR, ENOMEM);
}

static void tape_protect(struct rtask *t, uint64_t start, uint64_t end, uint32_t prot)
{
	tape_call(t->memory, SYS_mprotect,
		  TAPE_ARGS(tape_imm(start), tape_imm(end - start), tape_imm(prot)),
		  "protecting %" PRIx64 "-%" PRIx64, start, end);
}

/* Mapping i, but for what was inherited of it; *kept is the first that may be. */
static void tape_mapping(struct restore *r, struct rtask *t, size_t i, size_t *kept)
{
	const struct mem_plan *plan = t->mem;
	const VmaEntry *v = t->mm->vmas[i];
	uint32_t prot = mem_working_prot(plan, i, v);
	uint64_t at = v->start;

	for (; *kept < plan->n_kept && plan->kept[*kept].own == i; (*kept)++) {
		const struct mem_kept *k = &plan->kept[*kept];

		if (at < k->start)
			tape_map(r, t, i, at, k->start);
		if (mem_working_prot(t->donor->mem, k->donor, t->donor->mm->vmas[k->donor]) != prot)
			tape_protect(t, k->start, k->end, prot);
		at = k->end;
	}
	if (at < v->end)
		tape_map(r, t, i, at, v->end);
	tape_advice(t, v, true);
}

/* --------------------------------------------------------------- making room */

static void tape_unmap(struct rtask *t, uint64_t start, uint64_t end, const char *what)
{
	tape_call(t->memory, SYS_munmap, TAPE_ARGS(tape_imm(start), tape_imm(end - start)),
		  "unmapping %s", what);
}

static void tape_unmap_all(struct restore *r, struct rtask *t)
{
	tape_unmap(t, 0, r->base - RESTORE_PARK, "all below the area");
	tape_unmap(t, r->base + RESTORE_HOLE, RESTORE_TASK_SIZE, "all above the area");
}

/* What the donor has and the task has not. Both lists ascend. */
static void tape_unmap_rest(struct rtask *t)
{
	const struct mem_plan *plan = t->mem;
	const MmEntry *theirs = t->donor->mm;
	size_t k = 0;

	for (size_t i = 0; i < theirs->n_vmas; i++) {
		const VmaEntry *v = theirs->vmas[i];
		uint64_t at = v->start;

		if (!vma_is_ours(v))
			continue;
		for (; k < plan->n_kept && plan->kept[k].donor == i; k++) {
			if (at < plan->kept[k].start)
				tape_unmap(t, at, plan->kept[k].start, "what is its parent's");
			at = plan->kept[k].end;
		}
		if (at < v->end)
			tape_unmap(t, at, v->end, "what is its parent's");
	}
}

static void tape_drops(struct rtask *t)
{
	const struct pages_list *drops = &t->mem->drops;

	for (size_t i = 0; i < drops->n; i++)
		tape_call(t->memory, SYS_madvise,
			  TAPE_ARGS(tape_imm(drops->pieces[i].addr), tape_imm(drops->pieces[i].len),
				    tape_imm(MADV_DONTNEED)),
			  "dropping pages of its parent from %" PRIx64 " on",
			  drops->pieces[i].addr);
}

static bool thp_disabled(const MmEntry *mm)
{
	return mm->has_thp_disabled && mm->thp_disabled;
}

static int tape_mm_fields(struct restore *r, struct rtask *t, struct error *err)
{
	const MmEntry *mm = t->mm;
	uint64_t auxv[AUXV_MAX] = { 0 };
	struct prctl_mm_map map = {
		.start_code = mm->mm_start_code,
		.end_code = mm->mm_end_code,
		.start_data = mm->mm_start_data,
		.end_data = mm->mm_end_data,
		.start_brk = mm->mm_start_brk,
		.brk = mm->mm_brk,
		.start_stack = mm->mm_start_stack,
		.arg_start = mm->mm_arg_start,
		.arg_end = mm->mm_arg_end,
		.env_start = mm->mm_env_start,
		.env_end = mm->mm_env_end,
	};
	const struct rfile *exe = files_find(r, mm->exe_file_id);
	const struct rtask *image = rtask_image(t);

	if (mm->n_mm_saved_auxv > AUXV_MAX)
		return err_set(err, -EBADMSG, "mm-%u.img: auxiliary vector of %zu words", t->pid,
			       mm->n_mm_saved_auxv);
	memcpy(auxv, mm->mm_saved_auxv, mm->n_mm_saved_auxv * sizeof(*auxv));
	map.auxv = (__u64 *)(uintptr_t)restore_addr(r, area_add(&r->area, auxv, sizeof(auxv)));
	map.auxv_size = (__u32)(mm->n_mm_saved_auxv * sizeof(*auxv));
	map.exe_fd = t->donor ? UINT32_MAX : (__u32)t->mem->exe_fd; /* none: the donor's stays */
	tape_call(t->memory, SYS_prctl,
		  TAPE_ARGS(tape_imm(PR_SET_MM), tape_imm(PR_SET_MM_MAP),
			    tape_at(area_add(&r->area, &map, sizeof(map))), tape_imm(sizeof(map))),
		  "program '%s' and its memory's borders",
		  exe->entry->reg ? exe->entry->reg->name : "a memfd");
	if (thp_disabled(mm) != (image && thp_disabled(image->mm)))
		tape_call(t->memory, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_THP_DISABLE), tape_imm(thp_disabled(mm))),
			  "transparent huge pages, or none");
	return 0;
}

/* ------------------------------------------------------------------ all of it */

int mem_tape(struct restore *r, struct rtask *t, struct error *err)
{
	const MmEntry *mm = t->mm;
	bool moves = !t->donor || t->donor->vdso->start != t->vdso->start;
	size_t kept = 0;
	int ret;

	if (moves)
		vdso_tape_park(r, t);
	if (t->donor)
		tape_unmap_rest(t);
	else
		tape_unmap_all(r, t);
	if (moves)
		vdso_tape_place(r, t);
	/* Now: the executable can't be changed while the old one, M's, is mapped; it may be the
	 * same file. */
	ret = tape_mm_fields(r, t, err);
	if (ret >= 0)
		ret = sysv_tape_attach(r, t, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < mm->n_vmas; i++)
		if (vma_is_ours(mm->vmas[i]) && !(mm->vmas[i]->status & VMA_AREA_SYSVIPC))
			tape_mapping(r, t, i, &kept);
	tape_drops(t);
	return fill_tape(r, t, err);
}

void mem_tape_finish(struct rtask *t)
{
	const MmEntry *mm = t->mm;

	for (size_t i = 0; i < mm->n_vmas; i++) {
		const VmaEntry *v = mm->vmas[i];

		if (vma_is_ours(v)) {
			if (mem_working_prot(t->mem, i, v) != v->prot)
				tape_protect(t, v->start, v->end, v->prot);
			tape_lock(t, v, t->mem->filled[i]);
			tape_advice(t, v, false);
		} else if (v->status & VMA_AREA_GUARD) {
			tape_call(t->memory, SYS_madvise,
				  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
					    tape_imm(MADV_GUARD_INSTALL)),
				  "guard pages %" PRIx64 "-%" PRIx64, v->start, v->end);
		}
	}
}
