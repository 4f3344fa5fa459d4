#include "ckpt/pages-scan-dump.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/kern.h"
#include "base/pagemap-scan.h"
#include "ckpt/dump-priv.h"

#define PAGE UINT64_C(4096)
#define REGIONS_MAX 4096
#define ADDRESS_END UINT64_C(0x7ffffffff000)

#define PAGEMAP_GUARD (UINT64_C(1) << 58) /* since Linux 6.15 */

struct pages_scan {
	const struct dump_task *task; /* borrowed */
	int fd;
	bool can_scan;
	bool knows_guards;
	bool protect;
	bool tracked; /* some mapping may be */
	uint64_t at;  /* from here on nothing was looked at */
	uint64_t end; /* of the last mapping */
	size_t vma;   /* the first that ends behind what was told last */
	struct pagemap_scan_region *regions;
	size_t n;
	size_t next;
};

int pages_scan_begin(const struct dump_task *task, bool protect, struct pages_scan **ret_scan,
		     struct error *err)
{
	struct pages_scan *scan = calloc(1, sizeof(*scan));

	if (scan)
		scan->regions = calloc(REGIONS_MAX, sizeof(*scan->regions));
	if (!scan || !scan->regions) {
		free(scan);
		return err_oom(err);
	}
	scan->task = task;
	scan->protect = protect;
	scan->tracked = protect || task->track_fd >= 0;
	scan->can_scan = kern_has(KERN_PAGEMAP_SCAN);
	scan->knows_guards = kern_has(KERN_PAGEMAP_SCAN_GUARDS);
	for (size_t i = task->n_vmas; i > 0 && !scan->end; i--)
		if (task->vmas[i - 1].proc->end <= ADDRESS_END)
			scan->end = task->vmas[i - 1].proc->end;
	scan->fd = openat(task->proc, "pagemap", O_RDONLY | O_CLOEXEC);
	if (scan->fd < 0) {
		int r = err_sys(err, "task %d: open 'pagemap'", task->host_pid);

		pages_scan_free(scan);
		return r;
	}
	*ret_scan = scan;
	return 0;
}

void pages_scan_free(struct pages_scan *scan)
{
	if (!scan)
		return;
	cleanup_fd_p(&scan->fd);
	free(scan->regions);
	free(scan);
}

static int fill_by_scan(struct pages_scan *scan, struct error *err)
{
	struct pagemap_scan_arg arg = {
		.size = sizeof(arg),
		.start = scan->at,
		.end = scan->end,
		.vec = (uint64_t)(uintptr_t)scan->regions,
		.vec_len = REGIONS_MAX,
		.category_inverted = PAGEMAP_IS_FILE | PAGEMAP_IS_ZERO,
		.category_mask = PAGEMAP_IS_FILE | PAGEMAP_IS_ZERO,
		.category_anyof_mask = PAGEMAP_IS_PRESENT | PAGEMAP_IS_SWAPPED,
		.flags = scan->protect ? PAGEMAP_SCAN_WP_MATCHING : 0,
		.return_mask = (scan->knows_guards ? PAGEMAP_IS_GUARD : 0) |
			       (scan->tracked ? PAGEMAP_IS_WRITTEN : 0),
	};
	long n = ioctl(scan->fd, PAGEMAP_SCAN_IOCTL, &arg);

	if (n < 0)
		return err_sys(err, "task %d: scan pages from %" PRIx64 " on", scan->task->host_pid,
			       scan->at);
	scan->n = (size_t)n;
	/*
	 * walk_end can't be believed: the kernel collects 512 stretches at a time, and
	 * where the last of several such rounds ends by itself, that of the round
	 * before is left in there.
	 */
	scan->at = scan->n < REGIONS_MAX ? scan->end : scan->regions[scan->n - 1].end;
	return 0;
}

static void add_page(struct pages_scan *scan, uint64_t at, uint64_t categories)
{
	struct pagemap_scan_region *last = scan->n ? &scan->regions[scan->n - 1] : NULL;

	if (last && last->end == at && last->categories == categories)
		last->end += PAGE;
	else
		scan->regions[scan->n++] =
			(struct pagemap_scan_region){ at, at + PAGE, categories };
}

/* One word a page: up to 512 of the next mapping that has any. */
static int fill_by_reading(struct pages_scan *scan, struct error *err)
{
	const struct dump_task *task = scan->task;
	uint64_t words[512];
	const struct dump_vma *vma = NULL;
	uint64_t n;
	int r;

	for (size_t i = scan->vma; i < task->n_vmas && !vma; i++) {
		const struct dump_vma *one = &task->vmas[i];

		if (one->proc->end > scan->at && one->has_pages &&
		    (one->proc->rss_kb || one->proc->swap_kb))
			vma = one;
	}
	if (!vma) {
		scan->at = scan->end;
		return 0;
	}
	if (scan->at < vma->proc->start)
		scan->at = vma->proc->start;
	n = (vma->proc->end - scan->at) / PAGE;
	if (n > ARRAY_SIZE(words))
		n = ARRAY_SIZE(words);
	r = proc_pagemap_read(scan->fd, scan->at, (size_t)n, words, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", task->host_pid);
	for (size_t i = 0; i < n; i++, scan->at += PAGE) {
		if (words[i] & PAGEMAP_GUARD)
			add_page(scan, scan->at, PAGEMAP_IS_GUARD);
		else if (words[i] & (PROC_PAGE_PRESENT | PROC_PAGE_SWAP) &&
			 !(words[i] & PROC_PAGE_FILE))
			add_page(scan, scan->at, PAGEMAP_IS_WRITTEN);
	}
	return 0;
}

int pages_scan_next(struct pages_scan *scan, struct pages_stretch *ret_stretch, struct error *err)
{
	const struct dump_task *task = scan->task;

	for (;;) {
		struct pagemap_scan_region *region;
		const struct proc_vma *vma;
		uint64_t end;

		while (scan->next == scan->n) {
			int r;

			if (scan->at >= scan->end)
				return 0;
			scan->n = 0;
			scan->next = 0;
			r = scan->can_scan ? fill_by_scan(scan, err) : fill_by_reading(scan, err);
			if (r < 0)
				return r;
		}
		region = &scan->regions[scan->next];
		while (scan->vma < task->n_vmas && task->vmas[scan->vma].proc->end <= region->start)
			scan->vma++;
		if (scan->vma == task->n_vmas)
			return 0;
		/* One region may reach over several mappings that lie side by side. */
		vma = task->vmas[scan->vma].proc;
		end = region->end < vma->end ? region->end : vma->end;
		*ret_stretch = (struct pages_stretch){
			region->start, end, scan->vma, region->categories & PAGEMAP_IS_GUARD,
			!scan->tracked || region->categories & PAGEMAP_IS_WRITTEN
		};
		region->start = end;
		if (end == region->end)
			scan->next++;
		return 1;
	}
}
