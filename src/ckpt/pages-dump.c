/*
 * pages: the private memory of a task.
 *
 * pages-scan says which pages are its own, page-mover copies them. Guard
 * pages have no content: they become records of their own among the mappings.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/page-mover-dump.h"
#include "ckpt/pages-scan-dump.h"
#include "ckpt/vma-status.h"
#include "img/pagemap.h"

#define PAGE ((uint64_t)PAGEMAP_PAGE)

struct pages {
	struct dump *dump;
	struct dump_task *task;
	struct pagemap_writer writer;
	struct pagemap parent; /* what older images have of the task */
	size_t parent_run;     /* the first that ends behind the current address */
	size_t vma;	       /* the first whose vDSO may still have to be added */
};

/* Memory that a lazy restore may leave for later (CRIU's PE_LAZY). */
static uint32_t run_flags(const VmaEntry *vma)
{
	bool lazy = vma->flags & MAP_ANONYMOUS && vma->flags & MAP_PRIVATE &&
		    !(vma->flags & MAP_LOCKED) && !(vma->status & VMA_AREA_VDSO);

	return PE_PRESENT | (lazy ? PE_LAZY : 0);
}

static int add(struct pages *p, const struct dump_vma *vma, uint64_t start, uint64_t end,
	       struct error *err)
{
	enum page_source source =
		vma->proc->prot & PROT_READ ? PAGE_SOURCE_READABLE : PAGE_SOURCE_FORCED;
	int r = pagemap_add(&p->writer, start, (end - start) / PAGE, run_flags(vma->entry), err);

	if (r == 0)
		r = page_mover_add(p->dump->mover, source, start, end - start, err);
	p->dump->stats.pages_written += (end - start) / PAGE;
	return r;
}

/* The page was not written since; is it in the older images, and until where? */
static bool parent_has(struct pages *p, uint64_t at, uint64_t end, uint64_t *ret_end)
{
	const struct pagemap *parent = &p->parent;
	const struct pagemap_run *run;

	while (p->parent_run < parent->n_runs &&
	       pagemap_run_end(&parent->runs[p->parent_run]) <= at)
		p->parent_run++;
	run = p->parent_run < parent->n_runs ? &parent->runs[p->parent_run] : NULL;
	if (!run || run->vaddr > at) {
		*ret_end = run && run->vaddr < end ? run->vaddr : end;
		return false;
	}
	*ret_end = pagemap_run_end(run) < end ? pagemap_run_end(run) : end;
	return true;
}

/* What the older images have is left to them. */
static int add_rest(struct pages *p, const struct dump_vma *vma, uint64_t start, uint64_t end,
		    struct error *err)
{
	int r = 0;

	while (start < end && r == 0) {
		uint64_t stop = end;

		if (parent_has(p, start, end, &stop)) {
			r = pagemap_add(&p->writer, start, (stop - start) / PAGE, PE_PARENT, err);
			p->dump->stats.pages_skipped_parent += (stop - start) / PAGE;
		} else {
			r = add(p, vma, start, stop, err);
		}
		start = stop;
	}
	return r;
}

/* The vDSO is not made of ordinary pages, but small: whole. */
static int pass_vmas(struct pages *p, size_t until, struct error *err)
{
	int r = 0;

	for (; p->vma < until && r == 0; p->vma++) {
		const struct dump_vma *vma = &p->task->vmas[p->vma];

		if (!vma->has_pages)
			continue;
		p->dump->stats.pages_scanned += (vma->proc->end - vma->proc->start) / PAGE;
		if (vma->entry->status & VMA_AREA_VDSO)
			r = add(p, vma, vma->proc->start, vma->proc->end, err);
	}
	return r;
}

static int add_guard(struct pages *p, const struct pages_stretch *stretch, struct error *err)
{
	struct dump_task *task = p->task;

	if (task->n_guards == task->guards_size) {
		size_t size = task->guards_size ? 2 * task->guards_size : 16;
		VmaEntry *guards = arena_new_array(&p->dump->arena, VmaEntry, size);

		if (!guards)
			return err_oom(err);
		if (task->n_guards)
			memcpy(guards, task->guards, task->n_guards * sizeof(*guards));
		task->guards = guards;
		task->guards_size = size;
	}
	vma_entry__init(&task->guards[task->n_guards]);
	task->guards[task->n_guards].start = stretch->start;
	task->guards[task->n_guards].end = stretch->end;
	task->guards[task->n_guards].status = VMA_AREA_GUARD;
	task->guards[task->n_guards].fd = -1;
	task->n_guards++;
	return 0;
}

static int add_stretch(struct pages *p, const struct pages_stretch *stretch, struct error *err)
{
	const struct dump_vma *vma = &p->task->vmas[stretch->vma];
	int r = pass_vmas(p, stretch->vma, err);

	if (r < 0)
		return r;
	if (stretch->guard)
		return add_guard(p, stretch, err);
	if (!vma->has_pages || vma->entry->status & VMA_AREA_VDSO)
		return 0;
	if (p->task->trusts_parent && !stretch->written && vma->proc->vm_flags & PROC_VM_UFFD_WP)
		return add_rest(p, vma, stretch->start, stretch->end, err);
	return add(p, vma, stretch->start, stretch->end, err);
}

static int dump_all(struct pages *p, struct error *err)
{
	struct pages_stretch stretch;
	struct pages_scan *scan = NULL;
	int r = pages_scan_begin(p->task, p->dump->only_memory, &scan, err);

	while (r == 0) {
		r = pages_scan_next(scan, &stretch, err);
		if (r <= 0)
			break;
		r = add_stretch(p, &stretch, err);
	}
	pages_scan_free(scan);
	if (r == 0)
		r = pass_vmas(p, p->task->n_vmas, err);
	return r;
}

int dump_pages(struct dump *dump, struct dump_task *task, struct error *err)
{
	uint64_t begin = clock_mono_ns();
	uint64_t copied = page_mover_ns(dump->mover);
	struct pages p = {
		.dump = dump, .task = task, .writer = PAGEMAP_WRITER_INIT, .parent = PAGEMAP_INIT
	};
	int r = 0;

	if (task->trusts_parent)
		r = pagemap_open(&p.parent, dump->parent_dir, IMG_KIND_PAGEMAP,
				 (uint64_t)task->ns_pid, err);
	if (r == 0)
		r = dump_pagemap_create(dump, &p.writer, IMG_KIND_PAGEMAP, (uint64_t)task->ns_pid,
					err);
	if (r == 0) {
		page_mover_begin(dump->mover, task->host_pid, dump->only_memory, p.writer.pages_fd);
		r = dump_all(&p, err);
	}
	if (r == 0)
		r = page_mover_end(dump->mover, err);
	if (r < 0)
		r = err_wrap(err, r, "task %d", task->host_pid);
	if (r == 0)
		r = pagemap_finish(&p.writer, err);
	pagemap_writer_done(&p.writer);
	pagemap_done(&p.parent);
	dump->stats.memdump_us += (clock_mono_ns() - begin) / NS_PER_US;
	dump->stats.memwrite_us += (page_mover_ns(dump->mover) - copied) / NS_PER_US;
	return r;
}

int dump_pages_prepare(struct dump *dump, struct error *err)
{
	dump->mover = page_mover_new();
	return dump->mover ? 0 : err_oom(err);
}

void dump_pages_done(struct dump *dump)
{
	page_mover_free(dump->mover);
	dump->mover = NULL;
}

int dump_parent_open(struct dump *dump, struct error *err)
{
	const char *parent = dump->opts->parent;

	if (!parent)
		return 0;
	dump->parent_dir =
		openat(dump->opts->images_dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dump->parent_dir < 0)
		return err_sys(err, "open the folder '%s' of older images", parent);
	if (symlinkat(parent, dump->opts->images_dir, "parent") < 0)
		return err_sys(err, "link to the folder '%s' of older images", parent);
	return 0;
}

void dump_parent_done(struct dump *dump)
{
	if (dump->parent_dir < 0)
		return;
	if (!dump->complete)
		(void)unlinkat(dump->opts->images_dir, "parent", 0); /* best effort */
	cleanup_fd_p(&dump->parent_dir);
	dump->parent_dir = -EBADF;
}
