/*
 * mem-restore: the address space of a task, made again mapping by mapping.
 *
 * The become tape begins by unmapping all of M's memory but the area and the
 * parked vDSO, so the address space is empty and every mapping goes directly
 * to where it was. Mappings that get content are writable until they have it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc-maps.h"
#include "ckpt/file-restore.h"
#include "ckpt/mem-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/shmem-restore.h"
#include "ckpt/sysv.h"
#include "ckpt/vma-status.h"

#define PAGE UINT64_C(4096)
#define AUXV_MAX 64

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

/* ------------------------------------------------------- a place for the area */

struct range {
	uint64_t start;
	uint64_t end;
};

static int compare_ranges(const void *a, const void *b)
{
	uint64_t x = ((const struct range *)a)->start;
	uint64_t y = ((const struct range *)b)->start;

	return x < y ? -1 : x > y;
}

/* The lowest hole of that size at or above 16 TiB, where no program starts out. */
static uint64_t find_hole(struct range *taken, size_t n, uint64_t size)
{
	uint64_t at = UINT64_C(1) << 44;

	qsort(taken, n, sizeof(*taken), compare_ranges);
	for (size_t i = 0; i < n; i++) {
		if (taken[i].end <= at)
			continue;
		if (taken[i].start >= at + size)
			break;
		at = (taken[i].end + RESTORE_PARK - 1) & ~(RESTORE_PARK - 1);
	}
	return at + size <= RESTORE_TASK_SIZE ? at : 0;
}

int mem_place_area(struct restore *r, struct error *err)
{
	cleanup_proc_maps struct proc_maps maps = { .vmas = NULL };
	cleanup_free struct range *taken = NULL;
	size_t total = 0;
	size_t n = 0;
	uint64_t hole;
	int ret = proc_maps_of(getpid(), &maps, err);

	if (ret < 0)
		return ret;
	total = maps.n;
	for (size_t i = 0; i < r->n_tasks; i++)
		total += r->tasks[i]->mm ? r->tasks[i]->mm->n_vmas : 0;
	taken = calloc(total, sizeof(*taken));
	if (!taken)
		return err_oom(err);
	for (size_t i = 0; i < maps.n; i++)
		taken[n++] = (struct range){ maps.vmas[i].start, maps.vmas[i].end };
	for (size_t i = 0; i < r->n_tasks; i++) {
		const MmEntry *mm = r->tasks[i]->mm;

		for (size_t j = 0; mm && j < mm->n_vmas; j++, n++)
			sysv_extent(r, mm->vmas[j], &taken[n].start, &taken[n].end);
	}
	hole = find_hole(taken, n, RESTORE_PARK + RESTORE_HOLE);
	if (!hole)
		return err_set(err, -EOPNOTSUPP,
			       "no address range of %" PRIu64 " MiB is free in all tasks",
			       RESTORE_HOLE >> 20);
	r->base = hole + RESTORE_PARK;
	return 0;
}

/* ------------------------------------------------------------------ checking */

static const char *refused_kind(const VmaEntry *v)
{
	if (v->status & VMA_AREA_AIORING)
		return "an AIO ring";
	if (v->status & VMA_AREA_SOCKET)
		return "a packet socket's ring";
	if (v->status & VMA_AREA_SHSTK)
		return "a shadow stack";
	if (v->status & (VMA_UNSUPPORTED | VMA_EXT_PLUGIN))
		return "device memory";
	return NULL;
}

static bool vma_is_ours(const VmaEntry *v)
{
	return !(v->status & (VMA_AREA_VSYSCALL | VMA_AREA_VDSO | VMA_AREA_VVAR | VMA_AREA_GUARD));
}

static int check_vma(const struct rtask *t, const VmaEntry *v, uint64_t floor, struct error *err)
{
	const char *kind = NULL;

	if (v->start >= v->end || v->start % PAGE || v->end % PAGE || v->end > RESTORE_TASK_SIZE ||
	    v->start < floor || v->pgoff % PAGE)
		return err_set(err, -EBADMSG, "mm-%u.img: bad mapping %" PRIx64 "-%" PRIx64, t->pid,
			       v->start, v->end);
	kind = refused_kind(v);
	if (kind)
		return err_set(err, -EOPNOTSUPP,
			       "task %u (%s): mapping %" PRIx64 "-%" PRIx64
			       " is %s, which can't be rebuilt yet",
			       t->pid, rtask_comm(t), v->start, v->end, kind);
	if (!(v->status & VMA_AREA_REGULAR))
		return err_set(err, -EBADMSG,
			       "mm-%u.img: mapping %" PRIx64 "-%" PRIx64 " of no known kind",
			       t->pid, v->start, v->end);
	return 0;
}

static int check_vmas(const struct rtask *t, struct error *err)
{
	uint64_t floor = 0;

	for (size_t i = 0; i < t->mm->n_vmas; i++) {
		const VmaEntry *v = t->mm->vmas[i];
		int ret;

		if (v->status & (VMA_AREA_VSYSCALL | VMA_AREA_GUARD))
			continue;
		ret = check_vma(t, v, floor, err);
		if (ret < 0)
			return ret;
		floor = v->end;
	}
	return 0;
}

/* ------------------------------------------------------------------- mapping */

static int tape_map(struct restore *r, struct rtask *t, const VmaEntry *v, bool filled,
		    struct error *err)
{
	uint64_t prot = v->prot | (filled ? (uint64_t)PROT_WRITE : 0);
	uint64_t flags = (v->flags & MAP_KEPT) | MAP_FIXED;
	const char *name = "";
	int fd = -1;
	uint32_t entry;

	if (v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)) {
		uint32_t how = v->has_fdflags ? v->fdflags
			       : (v->status & VMA_FILE_SHARED) && (v->prot & PROT_WRITE)
				       ? (uint32_t)O_RDWR
				       : (uint32_t)O_RDONLY;
		struct rfile *file = files_find(r, (uint32_t)v->shmid);
		int ret;

		fd = files_stage_extra(r, (uint32_t)v->shmid, how, err);
		if (fd < 0)
			return err_wrap(err, fd, "task %u (%s): mapping %" PRIx64 "-%" PRIx64,
					t->pid, rtask_comm(t), v->start, v->end);
		ret = fd_keep(t, fd, err);
		if (ret < 0)
			return ret;
		file->mapped = true;
		name = file->entry->reg ? file->entry->reg->name : "a memfd";
		flags &= ~(uint64_t)MAP_ANONYMOUS;
	} else if (v->status & VMA_ANON_SHARED) {
		int ret;

		fd = shmem_stage(r, v->shmid, err);
		ret = fd < 0 ? fd : fd_keep(t, fd, err);
		if (ret < 0)
			return err_wrap(err, ret, "task %u (%s): mapping %" PRIx64 "-%" PRIx64,
					t->pid, rtask_comm(t), v->start, v->end);
		name = "shared memory";
		flags &= ~(uint64_t)MAP_ANONYMOUS;
	} else {
		flags |= MAP_ANONYMOUS;
	}
	entry = tape_call(t->become, SYS_mmap,
			  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start), tape_imm(prot),
				    tape_imm(flags), tape_imm((uint64_t)(int64_t)fd),
				    tape_imm(fd < 0 ? 0 : v->pgoff)),
			  "mapping %" PRIx64 "-%" PRIx64 "%s%s", v->start, v->end,
			  *name ? " of " : "", name);
	tape_expect(t->become, entry, PIE_RULE_EQUAL, (int64_t)v->start);
	return 0;
}

static void tape_advice(struct rtask *t, const VmaEntry *v, bool before_content)
{
	for (unsigned int advice = 0; v->has_madv && advice < 64; advice++) {
		bool huge = advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE;
		uint32_t entry;

		if (!(v->madv >> advice & 1) || huge != before_content)
			continue;
		entry = tape_call(t->become, SYS_madvise,
				  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
					    tape_imm(advice)),
				  "advice %u for %" PRIx64 "-%" PRIx64, advice, v->start, v->end);
		tape_expect(t->become, entry, PIE_RULE_OK_OR, EINVAL); /* kernel without it */
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
	entry = tape_call(t->become, SYS_mlock2,
			  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
				    tape_imm(sparse ? MLOCK_ONFAULT : 0)),
			  "locking %" PRIx64 "-%" PRIx64, v->start, v->end);
	/* Locked it is, but unreadable: so it has no pages. */
	if (!(v->prot & (PROT_READ | PROT_WRITE)))
		tape_expect(t->become, entry, PIE_RULE_OK_OR, ENOMEM);
}

static void tape_unmap_all(struct restore *r, struct rtask *t)
{
	uint64_t end = r->base + RESTORE_HOLE;

	tape_call(t->become, SYS_munmap, TAPE_ARGS(tape_imm(0), tape_imm(r->base - RESTORE_PARK)),
		  "unmapping all below the area");
	tape_call(t->become, SYS_munmap,
		  TAPE_ARGS(tape_imm(end), tape_imm(RESTORE_TASK_SIZE - end)),
		  "unmapping all above the area");
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
	struct rfile *exe = files_find(r, mm->exe_file_id);
	int fd = files_stage_extra(r, mm->exe_file_id, O_RDONLY, err);
	int ret;

	if (fd < 0)
		return err_wrap(err, fd, "task %u (%s): executable", t->pid, rtask_comm(t));
	ret = fd_keep(t, fd, err);
	if (ret < 0)
		return ret;
	exe->mapped = true;
	if (mm->n_mm_saved_auxv > AUXV_MAX)
		return err_set(err, -EBADMSG, "mm-%u.img: auxiliary vector of %zu words", t->pid,
			       mm->n_mm_saved_auxv);
	memcpy(auxv, mm->mm_saved_auxv, mm->n_mm_saved_auxv * sizeof(*auxv));
	map.auxv = (__u64 *)(uintptr_t)restore_addr(r, area_add(&r->area, auxv, sizeof(auxv)));
	map.auxv_size = (__u32)(mm->n_mm_saved_auxv * sizeof(*auxv));
	map.exe_fd = (__u32)fd;
	tape_call(t->become, SYS_prctl,
		  TAPE_ARGS(tape_imm(PR_SET_MM), tape_imm(PR_SET_MM_MAP),
			    tape_at(area_add(&r->area, &map, sizeof(map))), tape_imm(sizeof(map))),
		  "program '%s' and its memory's borders",
		  exe->entry->reg ? exe->entry->reg->name : "a memfd");
	if (mm->has_thp_disabled && mm->thp_disabled)
		tape_call(t->become, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_THP_DISABLE), tape_imm(1)),
			  "no transparent huge pages");
	return 0;
}

int mem_tape(struct restore *r, struct rtask *t, struct error *err)
{
	const MmEntry *mm = t->mm;
	cleanup_free uint64_t *filled = calloc(mm->n_vmas + 1, sizeof(*filled));
	cleanup_pages struct pages_plan pages = PAGES_PLAN_INIT;
	int ret;

	if (!filled)
		return err_oom(err);
	if (mm->n_aios)
		return err_set(err, -EOPNOTSUPP, "task %u (%s) has AIO rings", t->pid,
			       rtask_comm(t));
	ret = check_vmas(t, err);
	if (ret < 0)
		return ret;
	ret = vdso_check(r, t, err);
	if (ret < 0)
		return ret;
	ret = pages_plan(r, t, &pages, filled, err);
	if (ret < 0)
		return err_wrap(err, ret, "task %u (%s): memory", t->pid, rtask_comm(t));

	vdso_tape_park(r, t);
	tape_unmap_all(r, t);
	vdso_tape_place(r, t);
	/* Now: the executable can't be changed while the old one, M's, is mapped; it may be the
	 * same file. */
	ret = tape_mm_fields(r, t, err);
	if (ret < 0)
		return ret;
	ret = sysv_tape_attach(r, t, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < mm->n_vmas; i++) {
		if (!vma_is_ours(mm->vmas[i]))
			continue;
		ret = mm->vmas[i]->status & VMA_AREA_SYSVIPC
			      ? 0
			      : tape_map(r, t, mm->vmas[i], filled[i] != 0, err);
		if (ret < 0)
			return ret;
		tape_advice(t, mm->vmas[i], true);
	}
	pages_tape(r, t, &pages);
	for (size_t i = 0; i < mm->n_vmas; i++) {
		const VmaEntry *v = mm->vmas[i];

		if (vma_is_ours(v)) {
			if (filled[i] && !(v->prot & PROT_WRITE))
				tape_call(t->become, SYS_mprotect,
					  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
						    tape_imm(v->prot)),
					  "protecting %" PRIx64 "-%" PRIx64, v->start, v->end);
			tape_lock(t, v, filled[i]);
			tape_advice(t, v, false);
		} else if (v->status & VMA_AREA_GUARD) {
			tape_call(t->become, SYS_madvise,
				  TAPE_ARGS(tape_imm(v->start), tape_imm(v->end - v->start),
					    tape_imm(MADV_GUARD_INSTALL)),
				  "guard pages %" PRIx64 "-%" PRIx64, v->start, v->end);
		}
	}
	return 0;
}
