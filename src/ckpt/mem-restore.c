/*
 * mem-restore: the address space of a task, planned.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* ------------------------------------------------------------------ planning */

void mem_plan_free(struct mem_plan *plan)
{
	if (!plan)
		return;
	if (plan->reads.pieces != plan->pages.pieces)
		free(plan->reads.pieces);
	if (plan->read != plan->filled)
		free(plan->read);
	free(plan->pages.pieces);
	free(plan->drops.pieces);
	free(plan->filled);
	free(plan->fds);
	free(plan->kept);
	free(plan);
}

/* The staging descriptor of what is behind the mapping, or -1: nothing is. */
static int stage(struct restore *r, const VmaEntry *v, int *ret_fd, struct error *err)
{
	struct rfile *file;
	uint32_t how = (uint32_t)O_RDONLY;
	int fd = -1;

	*ret_fd = -1;
	if (v->status & VMA_ANON_SHARED) {
		fd = shmem_stage(r, v->shmid, err);
	} else if (v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)) {
		if (v->has_fdflags)
			how = v->fdflags;
		else if (v->status & VMA_FILE_SHARED && v->prot & PROT_WRITE)
			how = (uint32_t)O_RDWR;
		fd = files_stage_extra(r, (uint32_t)v->shmid, how, err);
		if (fd < 0)
			return fd;
		file = files_find(r, (uint32_t)v->shmid);
		file->mapped = true;
	} else {
		return 0;
	}
	*ret_fd = fd;
	return fd < 0 ? fd : 0;
}

static int stage_all(struct restore *r, struct rtask *t, struct mem_plan *plan, struct error *err)
{
	const MmEntry *mm = t->mm;
	int ret = files_stage_extra(r, mm->exe_file_id, O_RDONLY, err);

	if (ret < 0)
		return err_wrap(err, ret, "task %u (%s): executable", t->pid, rtask_comm(t));
	plan->exe_fd = ret;
	files_find(r, mm->exe_file_id)->mapped = true;
	ret = fd_keep(t, plan->exe_fd, err);
	for (size_t i = 0; i < mm->n_vmas && ret >= 0; i++) {
		const VmaEntry *v = mm->vmas[i];

		plan->fds[i] = -1;
		if (!vma_is_ours(v))
			continue;
		ret = stage(r, v, &plan->fds[i], err);
		if (ret >= 0 && plan->fds[i] >= 0)
			ret = fd_keep(t, plan->fds[i], err);
		if (ret < 0)
			return err_wrap(err, ret, "task %u (%s): mapping %" PRIx64 "-%" PRIx64,
					t->pid, rtask_comm(t), v->start, v->end);
	}
	return ret;
}

int mem_plan(struct restore *r, struct rtask *t, struct error *err)
{
	const MmEntry *mm = t->mm;
	struct mem_plan *plan = calloc(1, sizeof(*plan));
	int ret;

	t->mem = plan;
	if (plan) {
		plan->filled = calloc(mm->n_vmas + 1, sizeof(*plan->filled));
		plan->fds = calloc(mm->n_vmas + 1, sizeof(*plan->fds));
	}
	if (!plan || !plan->filled || !plan->fds)
		return err_oom(err);
	if (mm->n_aios)
		return err_set(err, -EOPNOTSUPP, "task %u (%s) has AIO rings", t->pid,
			       rtask_comm(t));
	ret = check_vmas(t, err);
	if (ret >= 0)
		ret = vdso_check(r, t, err);
	if (ret >= 0)
		ret = stage_all(r, t, plan, err);
	if (ret < 0)
		return ret;
	ret = pages_plan(r, t, plan, err);
	if (ret < 0)
		return err_wrap(err, ret, "task %u (%s): memory", t->pid, rtask_comm(t));
	plan->reads = plan->pages;
	plan->read = plan->filled;
	return 0;
}
