/*
 * pages: the private memory of a task.
 *
 *	PAGEMAP_SCAN   which pages are the task's own: present or swapped, not
 *	               the file's, not the zero page. No byte is read for that.
 *	process_vm_readv into one buffer, as many runs as fit; what the task
 *	               itself may not read (PROT_NONE) through /proc/PID/mem
 *	write          the buffer to pages-N.img
 *
 * Before Linux 6.7 /proc/PID/pagemap is read instead of scanned.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/kern.h"
#include "ckpt/dump-priv.h"
#include "ckpt/vma-status.h"
#include "img/pagemap.h"
#include "trace/remote-mem.h"

#define PAGE ((uint64_t)PAGEMAP_PAGE)
#define BUFFER_SIZE ((size_t)1 << 20)
#define RUNS_MAX 512

/* include/uapi/linux/fs.h, since Linux 6.7 */
struct scan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN _IOWR('f', 16, struct scan_arg)
#define IS_FILE (1u << 2)
#define IS_PRESENT (1u << 3)
#define IS_SWAPPED (1u << 4)
#define IS_ZERO_PAGE (1u << 5)
#define IS_GUARD (1u << 8) /* since Linux 6.16 */

struct pages {
	struct dump *dump;
	struct dump_task *task;
	int pagemap_fd;
	int mem_fd; /* -EBADF until needed */
	bool knows_guards;
	struct pagemap_writer writer;
	char *buffer;
	size_t used; /* bytes the collected runs need */
	struct rmem_run runs[RUNS_MAX];
	size_t n_runs;
	uint64_t write_ns;
};

static int flush(struct pages *p, bool readable, struct error *err)
{
	uint64_t begin;
	char *at = p->buffer;
	int r = 0;

	if (!p->n_runs)
		return 0;
	if (readable) {
		r = rmem_read_runs(p->task->host_pid, p->runs, p->n_runs, p->buffer, err);
	} else {
		if (p->mem_fd < 0)
			p->mem_fd = rmem_open(p->task->host_pid, err);
		r = p->mem_fd < 0 ? p->mem_fd : 0;
		for (size_t i = 0; i < p->n_runs && r == 0; i++) {
			r = rmem_peek(p->mem_fd, p->runs[i].start, at, p->runs[i].len, err);
			at += p->runs[i].len;
		}
	}
	if (r < 0)
		return err_wrap(err, r, "task %d", p->task->host_pid);
	begin = clock_mono_ns();
	r = fd_write_all(p->writer.pages_fd, p->buffer, p->used);
	p->write_ns += clock_mono_ns() - begin;
	if (r < 0)
		return err_set(err, r, "write pages of task %d: %s", p->task->host_pid,
			       strerror(-r));
	p->dump->stats.pages_written += p->used / PAGE;
	p->used = 0;
	p->n_runs = 0;
	return 0;
}

static int add(struct pages *p, uint64_t start, uint64_t end, uint32_t flags, bool readable,
	       struct error *err)
{
	int r;

	r = pagemap_add(&p->writer, start, (end - start) / PAGE, flags, err);
	while (r == 0 && start < end) {
		uint64_t len = end - start;

		if (len > BUFFER_SIZE - p->used)
			len = BUFFER_SIZE - p->used;
		p->runs[p->n_runs++] = (struct rmem_run){ raddr_of(start), len };
		p->used += len;
		start += len;
		if (p->used == BUFFER_SIZE || p->n_runs == RUNS_MAX)
			r = flush(p, readable, err);
	}
	return r;
}

/* Memory that a lazy restore may leave for later (CRIU's PE_LAZY). */
static uint32_t run_flags(const VmaEntry *vma)
{
	bool lazy = vma->flags & MAP_ANONYMOUS && vma->flags & MAP_PRIVATE &&
		    !(vma->flags & MAP_LOCKED) && !(vma->status & VMA_AREA_VDSO);

	return PE_PRESENT | (lazy ? PE_LAZY : 0);
}

static int scan(struct pages *p, const struct dump_vma *vma, struct error *err)
{
	struct scan_region regions[256];
	uint32_t flags = run_flags(vma->entry);
	bool readable = vma->proc->prot & PROT_READ;
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = vma->proc->start,
		.end = vma->proc->end,
		.vec = (uint64_t)(uintptr_t)regions,
		.vec_len = ARRAY_SIZE(regions),
		.category_inverted = IS_FILE | IS_ZERO_PAGE,
		.category_mask = IS_FILE | IS_ZERO_PAGE,
		.category_anyof_mask = IS_PRESENT | IS_SWAPPED,
		.return_mask = p->knows_guards ? IS_GUARD : 0,
	};
	long n;
	int r;

	while (arg.start < arg.end) {
		n = ioctl(p->pagemap_fd, SCAN, &arg);
		if (n < 0 && errno == EINVAL && p->knows_guards) {
			p->knows_guards = false;
			arg.return_mask = 0;
			continue;
		}
		if (n < 0)
			return err_sys(err, "task %d: scan mapping %" PRIx64 "-%" PRIx64,
				       p->task->host_pid, vma->proc->start, vma->proc->end);
		for (long i = 0; i < n; i++) {
			if (regions[i].categories & IS_GUARD)
				return err_set(err, -EOPNOTSUPP,
					       "task %d: guard pages at %" PRIx64
					       " (MADV_GUARD_INSTALL): this version can't save "
					       "them",
					       p->task->host_pid, regions[i].start);
			r = add(p, regions[i].start, regions[i].end, flags, readable, err);
			if (r < 0)
				return r;
		}
		arg.start = arg.walk_end;
	}
	return 0;
}

static int read_pagemap(struct pages *p, const struct dump_vma *vma, struct error *err)
{
	uint32_t flags = run_flags(vma->entry);
	bool readable = vma->proc->prot & PROT_READ;
	uint64_t entries[512];
	int r;

	for (uint64_t at = vma->proc->start; at < vma->proc->end;) {
		uint64_t left = (vma->proc->end - at) / PAGE;
		size_t n = left < ARRAY_SIZE(entries) ? (size_t)left : ARRAY_SIZE(entries);

		r = proc_pagemap_read(p->pagemap_fd, at, n, entries, err);
		for (size_t i = 0; i < n && r == 0; i++, at += PAGE) {
			if (entries[i] & (PROC_PAGE_PRESENT | PROC_PAGE_SWAP) &&
			    !(entries[i] & PROC_PAGE_FILE))
				r = add(p, at, at + PAGE, flags, readable, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int dump_one(struct pages *p, const struct dump_vma *vma, bool can_scan, struct error *err)
{
	bool readable = vma->proc->prot & PROT_READ;
	int r;

	p->dump->stats.pages_scanned += (vma->proc->end - vma->proc->start) / PAGE;
	/* Not ordinary pages to the scan, but small: whole. */
	if (vma->entry->status & VMA_AREA_VDSO)
		r = add(p, vma->proc->start, vma->proc->end, run_flags(vma->entry), readable, err);
	else
		r = can_scan ? scan(p, vma, err) : read_pagemap(p, vma, err);
	return r;
}

static int dump_all(struct pages *p, struct error *err)
{
	bool can_scan = kern_has(KERN_PAGEMAP_SCAN);
	bool readable = true;
	int r = 0;

	for (size_t i = 0; i < p->task->n_vmas && r == 0; i++) {
		const struct dump_vma *vma = &p->task->vmas[i];

		if (!vma->has_pages)
			continue;
		/* One buffer has only runs that are read in the same way. */
		if (readable != !!(vma->proc->prot & PROT_READ))
			r = flush(p, readable, err);
		readable = vma->proc->prot & PROT_READ;
		if (r == 0)
			r = dump_one(p, vma, can_scan, err);
	}
	return r < 0 ? r : flush(p, readable, err);
}

int dump_pages(struct dump *dump, struct dump_task *task, struct error *err)
{
	uint64_t begin = clock_mono_ns();
	struct pages p = {
		.dump = dump,
		.task = task,
		.pagemap_fd = -EBADF,
		.mem_fd = -EBADF,
		.knows_guards = true,
		.writer = PAGEMAP_WRITER_INIT,
		.buffer = dump->page_buffer,
	};
	int r;

	p.pagemap_fd = openat(task->proc, "pagemap", O_RDONLY | O_CLOEXEC);
	if (p.pagemap_fd < 0)
		return err_sys(err, "task %d: open 'pagemap'", task->host_pid);
	r = dump_pagemap_create(dump, &p.writer, IMG_KIND_PAGEMAP, (uint64_t)task->ns_pid, err);
	if (r == 0)
		r = dump_all(&p, err);
	if (r == 0)
		r = pagemap_finish(&p.writer, err);
	pagemap_writer_done(&p.writer);
	cleanup_fd_p(&p.pagemap_fd);
	cleanup_fd_p(&p.mem_fd);
	dump->stats.memdump_us += (clock_mono_ns() - begin) / NS_PER_US;
	dump->stats.memwrite_us += p.write_ns / NS_PER_US;
	return r;
}

int dump_pages_prepare(struct dump *dump, struct error *err)
{
	dump->page_buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (dump->page_buffer == MAP_FAILED) {
		dump->page_buffer = NULL;
		return err_oom(err);
	}
	return 0;
}

void dump_pages_done(struct dump *dump)
{
	if (dump->page_buffer)
		(void)munmap(dump->page_buffer, BUFFER_SIZE); /* can't fail for a whole mapping */
	dump->page_buffer = NULL;
}
