/*
 * cow-restore: pages that a task shared with its parent since it was forked,
 * and shares again.
 *
 * The images have such pages twice, once for each task; nothing in them says
 * that they were one. So they are compared. A child that has enough in common
 * with the task that forks it gets that one as its donor: it is forked when the
 * donor's memory is there, instead of before, and keeps what is equal:
 *
 *	donor's pages   A B C D . F      (. is none)
 *	own pages       A X C . E F
 *	                = r = d r =      =: kept, r: read from the images, d: dropped
 *
 * See docs/design/copy-on-write.md.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/mem-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sysv.h"

#define PAGE UINT64_C(4096)
#define VIEWS_MAX 256 /* files of pages: of each task, and of each generation of it */
#define HUGE_ADVICE (UINT64_C(1) << MADV_HUGEPAGE | UINT64_C(1) << MADV_NOHUGEPAGE)

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* A pages file, mapped. */
struct view {
	int fd;
	const char *data;
	size_t size;
};

struct views {
	struct view list[VIEWS_MAX];
	size_t n;
};

struct cow {
	struct restore *r;
	struct rtask *t;
	struct mem_plan *plan; /* the task's */
	const struct mem_plan *donor;
	struct views *views;
	size_t own;   /* first of its pieces that ends behind the current address */
	size_t other; /* the same of the donor's */
	uint64_t equal;
	uint64_t compared;
};

/* ---- which mappings are the same ---- */

static bool can_keep(const VmaEntry *own, const VmaEntry *donor)
{
	const uint32_t never = MAP_HUGETLB | MAP_DROPPABLE | MAP_SHARED;
	const uint32_t differ = MAP_LOCKED; /* a child's memory is not locked */
	uint64_t advice = (own->has_madv ? own->madv : 0) ^ (donor->has_madv ? donor->madv : 0);

	if (!vma_is_ours(own) || own->status != donor->status || own->flags & never ||
	    (own->flags ^ donor->flags) & ~differ || advice & HUGE_ADVICE)
		return false;
	if (own->status & VMA_ANON_PRIVATE)
		return true;
	return own->status & VMA_FILE_PRIVATE && own->shmid == donor->shmid &&
	       own->start - own->pgoff == donor->start - donor->pgoff;
}

static int add_kept(struct mem_plan *plan, const struct mem_kept *kept, struct error *err)
{
	if (plan->n_kept == plan->kept_size) {
		size_t size = plan->kept_size ? 2 * plan->kept_size : 64;
		struct mem_kept *more = reallocarray(plan->kept, size, sizeof(*more));

		if (!more)
			return err_oom(err);
		plan->kept = more;
		plan->kept_size = size;
	}
	plan->kept[plan->n_kept++] = *kept;
	return 0;
}

static int find_kept(struct cow *c, struct error *err)
{
	const MmEntry *own = c->t->mm;
	const MmEntry *theirs = c->t->forker->mm;
	size_t i = 0;
	size_t j = 0;
	int ret = 0;

	while (i < own->n_vmas && j < theirs->n_vmas && ret == 0) {
		const VmaEntry *a = own->vmas[i];
		const VmaEntry *b = theirs->vmas[j];
		struct mem_kept kept = { a->start > b->start ? a->start : b->start,
					 a->end < b->end ? a->end : b->end, i, j };

		/* Guards stand behind the mappings, and are none. */
		if (a->status & VMA_AREA_GUARD || b->status & VMA_AREA_GUARD)
			break;
		if (kept.start < kept.end && can_keep(a, b))
			ret = add_kept(c->plan, &kept, err);
		if (a->end <= b->end)
			i++;
		if (b->end <= a->end)
			j++;
	}
	return ret;
}

/* System V segments are attached whole, for a moment: what is kept must not lie there. */
static bool is_in_the_way(const struct cow *c)
{
	const struct mem_plan *plan = c->plan;

	for (size_t i = 0; i < c->t->mm->n_vmas; i++) {
		const VmaEntry *v = c->t->mm->vmas[i];
		uint64_t start, end;

		if (!(v->status & VMA_AREA_SYSVIPC))
			continue;
		sysv_extent(c->r, v, &start, &end);
		for (size_t k = 0; k < plan->n_kept; k++)
			if (plan->kept[k].start < end && plan->kept[k].end > start)
				return true;
	}
	return false;
}

/* ---- which pages are equal ---- */

static int find_view(struct views *views, int fd, const char **ret_data, struct error *err)
{
	struct view *view = &views->list[views->n];
	struct stat st;
	void *data;

	for (size_t i = 0; i < views->n; i++) {
		if (views->list[i].fd == fd) {
			*ret_data = views->list[i].data;
			return 0;
		}
	}
	if (views->n == VIEWS_MAX) {
		view = &views->list[0];
		(void)munmap((void *)(uintptr_t)view->data, view->size);
		*view = views->list[--views->n];
		view = &views->list[views->n];
	}
	if (fstat(fd, &st) < 0)
		return err_sys(err, "look at an image of pages");
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return err_sys(err, "map an image of pages");
	*view = (struct view){ fd, data, (size_t)st.st_size };
	views->n++;
	*ret_data = data;
	return 0;
}

static void views_done(struct views *views)
{
	for (size_t i = 0; i < views->n; i++)
		(void)munmap((void *)(uintptr_t)views->list[i].data, views->list[i].size);
}

static struct pages_piece part_of(const struct pages_piece *whole, uint64_t start, uint64_t end)
{
	return (struct pages_piece){ start, end - start, whole->offset + (start - whole->addr),
				     whole->fd };
}

/* Both have pages there. */
static int compare(struct cow *c, uint64_t start, uint64_t end, struct error *err)
{
	const struct pages_piece *own = &c->plan->pages.pieces[c->own];
	const struct pages_piece *other = &c->donor->pages.pieces[c->other];
	const char *a = NULL;
	const char *b = NULL;
	int ret = find_view(c->views, own->fd, &a, err);

	if (ret >= 0)
		ret = find_view(c->views, other->fd, &b, err);
	/* The second may have taken the place of the first. */
	if (ret >= 0)
		ret = find_view(c->views, own->fd, &a, err);
	if (ret < 0)
		return ret;
	a += own->offset + (start - own->addr);
	b += other->offset + (start - other->addr);
	for (uint64_t at = start; at < end && ret >= 0; at += PAGE, a += PAGE, b += PAGE) {
		const struct pages_piece page = part_of(own, at, at + PAGE);

		c->compared++;
		if (memcmp(a, b, PAGE) == 0)
			c->equal++;
		else
			ret = pages_list_add(&c->plan->reads, &page, err);
	}
	return ret;
}

static int sort_out(struct cow *c, uint64_t start, uint64_t end, bool kept, struct error *err)
{
	const struct pages_list *own = &c->plan->pages;
	const struct pages_list *other = &c->donor->pages;

	for (uint64_t at = start; at < end;) {
		const struct pages_piece *a, *b;
		uint64_t next = end;
		bool has_own, has_other;
		struct pages_piece part;
		int ret = 0;

		while (c->own < own->n && own->pieces[c->own].addr + own->pieces[c->own].len <= at)
			c->own++;
		while (c->other < other->n &&
		       other->pieces[c->other].addr + other->pieces[c->other].len <= at)
			c->other++;
		a = c->own < own->n ? &own->pieces[c->own] : NULL;
		b = c->other < other->n ? &other->pieces[c->other] : NULL;
		has_own = a && a->addr <= at;
		has_other = b && b->addr <= at;
		if (a && (has_own ? a->addr + a->len : a->addr) < next)
			next = has_own ? a->addr + a->len : a->addr;
		if (kept && b && (has_other ? b->addr + b->len : b->addr) < next)
			next = has_other ? b->addr + b->len : b->addr;
		if (has_own && has_other && kept) {
			ret = compare(c, at, next, err);
		} else if (has_own) {
			part = part_of(a, at, next);
			ret = pages_list_add(&c->plan->reads, &part, err);
		} else if (has_other && kept) {
			part = (struct pages_piece){ at, next - at, at, -1 };
			ret = pages_list_add(&c->plan->drops, &part, err);
		}
		if (ret < 0)
			return ret;
		at = next;
	}
	return 0;
}

static int sort_all(struct cow *c, struct error *err)
{
	uint64_t at = 0;
	int ret = 0;

	c->plan->reads = (struct pages_list){ NULL };
	for (size_t i = 0; i < c->plan->n_kept && ret >= 0; i++) {
		const struct mem_kept *k = &c->plan->kept[i];

		ret = sort_out(c, at, k->start, false, err);
		if (ret >= 0)
			ret = sort_out(c, k->start, k->end, true, err);
		at = k->end;
	}
	return ret < 0 ? ret : sort_out(c, at, RESTORE_TASK_SIZE, false, err);
}

/* ---- is it worth it? ---- */

/* What each mapping still has to read. */
static int count_reads(struct cow *c, struct error *err)
{
	const MmEntry *mm = c->t->mm;
	size_t vma = 0;

	c->plan->read = calloc(mm->n_vmas + 1, sizeof(*c->plan->read));
	if (!c->plan->read)
		return err_oom(err);
	for (size_t i = 0; i < c->plan->reads.n; i++) {
		uint64_t at = c->plan->reads.pieces[i].addr;
		uint64_t end = at + c->plan->reads.pieces[i].len;

		while (at < end) {
			uint64_t stop;

			while (mm->vmas[vma]->end <= at)
				vma++;
			stop = mm->vmas[vma]->end < end ? mm->vmas[vma]->end : end;
			c->plan->read[vma] += stop - at;
			at = stop;
		}
	}
	return 0;
}

static void keep_nothing(struct mem_plan *plan)
{
	free(plan->reads.pieces);
	free(plan->drops.pieces);
	plan->reads = plan->pages;
	plan->drops = (struct pages_list){ NULL };
	plan->n_kept = 0;
}

/*
 * The fork copies the donor's page tables, which costs about a hundredth of
 * reading the pages. Tasks that executed something else share nothing.
 */
static bool is_worth_it(const struct cow *c)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < c->donor->pages.n; i++)
		pages += c->donor->pages.pieces[i].len / PAGE;
	return c->equal > pages / 256;
}

static int plan_task(struct restore *r, struct rtask *t, struct views *views, struct error *err)
{
	struct cow c = { .r = r, .t = t, .plan = t->mem, .donor = t->forker->mem, .views = views };
	int ret = find_kept(&c, err);

	if (ret < 0 || !c.plan->n_kept || is_in_the_way(&c)) {
		c.plan->n_kept = 0;
		return ret;
	}
	ret = sort_all(&c, err);
	r->pages_compared += c.compared;
	if (ret < 0 || !is_worth_it(&c)) {
		keep_nothing(c.plan);
		return ret;
	}
	ret = count_reads(&c, err);
	if (ret < 0)
		return ret;
	t->donor = t->forker;
	t->donor->is_donor = true;
	t->donor->donates_early |= t->before_setsid;
	r->pages -= c.equal;
	r->pages_kept += c.equal;
	log_debug("task %u (%s) shares %" PRIu64 " pages with %u", t->pid, rtask_comm(t), c.equal,
		  t->donor->pid);
	return 0;
}

const struct rtask *rtask_image(const struct rtask *t)
{
	for (const struct rtask *f = t->forker; f; t = f, f = f->forker)
		if (f->is_donor && (t->donor == f || (f->donates_early && !t->before_setsid)))
			return f;
	return NULL;
}

int cow_plan(struct restore *r, struct error *err)
{
	cleanup_free struct views *views = calloc(1, sizeof(*views));
	int ret = 0;

	if (!views)
		return err_oom(err);
	for (size_t i = 0; i < r->n_image_tasks && ret >= 0; i++) {
		struct rtask *t = r->tasks[i];

		/* A program whose file is mapped can't be exchanged for another. */
		if (rtask_lives(t) && t->forker && t->forker == t->parent &&
		    rtask_lives(t->forker) && t->mm->exe_file_id == t->forker->mm->exe_file_id)
			ret = plan_task(r, t, views, err);
	}
	views_done(views);
	return ret < 0 ? ret : 0;
}
