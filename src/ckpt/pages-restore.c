/*
 * pages-restore: private memory read straight from pages-N.img.
 *
 * Runs whose bytes lie one behind the other in the file are read by one
 * preadv(2), however they are spread over the address space:
 *
 *	pages-1.img  | A A B C C C |
 *	memory       ..A A....B......C C C..
 *	preadv       { A:2, B:1, C:3 } at offset 0
 *
 * Pages that a folder has in its parent folder's images only come from there.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/mem-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/vma-status.h"
#include "img/pagemap.h"

#define IOV_LIMIT 1024		       /* the kernel's UIO_MAXIOV */
#define READ_LIMIT ((uint64_t)1 << 30) /* below its MAX_RW_COUNT */
#define GENERATIONS_MAX 64

int pages_list_add(struct pages_list *list, const struct pages_piece *piece, struct error *err)
{
	struct pages_piece *last = list->n ? &list->pieces[list->n - 1] : NULL;

	if (last && last->addr + last->len == piece->addr &&
	    last->offset + last->len == piece->offset && last->fd == piece->fd) {
		last->len += piece->len;
		return 0;
	}
	if (list->n == list->size) {
		size_t size = list->size ? list->size * 2 : 64;
		struct pages_piece *pieces = reallocarray(list->pieces, size, sizeof(*pieces));

		if (!pieces)
			return err_oom(err);
		list->pieces = pieces;
		list->size = size;
	}
	list->pieces[list->n++] = *piece;
	return 0;
}

/* One folder of images in a row of pre-dumps, the newest first. */
struct generation {
	struct pagemap map;
	int dir;     /* owned, but that of the newest */
	int staging; /* of its pages file; -1: none of its pages was needed so far */
};

struct sources {
	struct generation row[GENERATIONS_MAX];
	size_t n;
};

static void sources_done(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		pagemap_done(&s->row[i].map);
		if (i)
			(void)close(s->row[i].dir);
	}
}

static int open_generation(struct restore *r, struct sources *s, uint32_t pid, struct error *err)
{
	struct generation *g = &s->row[s->n];
	int dir = r->opts->images_dir;
	int ret;

	if (s->n == GENERATIONS_MAX)
		return err_set(err, -EBADMSG, "more than %d generations of parent images",
			       GENERATIONS_MAX);
	if (s->n) {
		dir = openat(s->row[s->n - 1].dir, "parent", O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return err_sys(err, "open the folder 'parent' of older images");
	}
	*g = (struct generation){ .map = PAGEMAP_INIT, .dir = dir, .staging = -1 };
	s->n++;
	ret = pagemap_open(&g->map, dir, IMG_KIND_PAGEMAP, pid, err);
	return ret < 0 ? ret : 0;
}

static int generation_fd(struct restore *r, struct rtask *t, struct generation *g,
			 struct error *err)
{
	int ret;

	if (g->staging >= 0)
		return g->staging;
	ret = fd_stage_consume(r, take_fd(&g->map.pages_fd), err);
	if (ret < 0)
		return ret;
	g->staging = ret;
	ret = fd_keep(t, g->staging, err);
	return ret < 0 ? ret : g->staging;
}

struct pages_job {
	struct restore *r;
	struct rtask *t;
	struct mem_plan *plan;
	struct sources sources;
	size_t vma; /* the first whose end is behind the current address */
};

/* [start, end) has its bytes at `offset` of that generation's pages file. */
static int take_present(struct pages_job *job, struct generation *g, uint64_t start, uint64_t end,
			uint64_t offset, struct error *err)
{
	const MmEntry *mm = job->t->mm;
	int fd = generation_fd(job->r, job->t, g, err);

	if (fd < 0)
		return fd;
	while (start < end) {
		const VmaEntry *v = NULL;
		uint64_t stop;
		int ret;

		while (job->vma < mm->n_vmas && (mm->vmas[job->vma]->end <= start ||
						 mm->vmas[job->vma]->status & VMA_AREA_GUARD))
			job->vma++;
		v = job->vma < mm->n_vmas ? mm->vmas[job->vma] : NULL;
		if (!v || v->start > start)
			return err_set(err, -EBADMSG, "page %" PRIx64 " belongs to no mapping",
				       start);
		stop = v->end < end ? v->end : end;
		if (v->status & VMA_AREA_VDSO) {
			ret = vdso_compare(job->r, fd, offset, start - v->start, stop - start, err);
			job->plan->vdso_seen = true;
		} else if (v->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE) &&
			   !(v->status & VMA_AREA_VVAR)) {
			const struct pages_piece piece = { start, stop - start, offset, fd };

			ret = pages_list_add(&job->plan->pages, &piece, err);
			job->plan->filled[job->vma] += stop - start;
			job->r->pages += (stop - start) / PAGEMAP_PAGE;
		} else {
			ret = err_set(err, -EBADMSG,
				      "page %" PRIx64 " belongs to a mapping that is not private",
				      start);
		}
		if (ret < 0)
			return ret;
		offset += stop - start;
		start = stop;
	}
	return 0;
}

/* [start, end) as generation `depth` has it; all of it must be there. */
static int take_range(struct pages_job *job, size_t depth, uint64_t start, uint64_t end,
		      struct error *err)
{
	int ret = 0;

	if (depth == job->sources.n)
		ret = open_generation(job->r, &job->sources, job->t->pid, err);
	if (ret < 0)
		return ret;
	for (size_t i = pagemap_find(&job->sources.row[depth].map, start); start < end; i++) {
		struct generation *g = &job->sources.row[depth];
		const struct pagemap_run *run = i < g->map.n_runs ? &g->map.runs[i] : NULL;
		uint64_t stop;

		if (!run || run->vaddr > start)
			return err_set(err, -EBADMSG, "page %" PRIx64 " is missing in the images",
				       start);
		stop = pagemap_run_end(run) < end ? pagemap_run_end(run) : end;
		if (run->flags & PE_PRESENT)
			ret = take_present(job, g, start, stop, run->offset + (start - run->vaddr),
					   err);
		else if (run->flags & PE_PARENT)
			ret = take_range(job, depth + 1, start, stop, err);
		else
			ret = err_set(err, -EOPNOTSUPP,
				      "page %" PRIx64 " was left on the source machine (lazy)",
				      start);
		if (ret < 0)
			return ret;
		start = stop;
	}
	return 0;
}

int pages_plan(struct restore *r, struct rtask *t, struct mem_plan *plan, struct error *err)
{
	struct pages_job job = { .r = r, .t = t, .plan = plan };
	int ret = open_generation(r, &job.sources, t->pid, err);

	for (size_t i = 0; ret >= 0 && i < job.sources.row[0].map.n_runs; i++) {
		const struct pagemap_run *run = &job.sources.row[0].map.runs[i];

		ret = take_range(&job, 0, run->vaddr, pagemap_run_end(run), err);
	}
	sources_done(&job.sources);
	if (ret >= 0 && !plan->vdso_seen && t->vdso)
		ret = err_set(err, -EBADMSG, "the images lack the content of the vDSO");
	return ret < 0 ? ret : 0;
}

/* What one preadv(2) does. */
struct batch {
	struct iovec iov[IOV_LIMIT];
	size_t n;
	int fd;
	uint64_t offset;
	uint64_t bytes;
};

static void tape_batch(struct restore *r, struct rtask *t, struct batch *b)
{
	uint32_t entry;

	if (!b->n)
		return;
	entry = tape_call(t->memory, SYS_preadv,
			  TAPE_ARGS(tape_imm((uint64_t)b->fd),
				    tape_at(area_add(&r->area, b->iov, b->n * sizeof(b->iov[0]))),
				    tape_imm(b->n), tape_imm(b->offset)),
			  "reading %" PRIu64 " pages from %" PRIx64 " on", b->bytes / PAGEMAP_PAGE,
			  (uint64_t)(uintptr_t)b->iov[0].iov_base);
	tape_expect(t->memory, entry, PIE_RULE_EQUAL, (int64_t)b->bytes);
	b->n = 0;
}

void pages_tape(struct restore *r, struct rtask *t, const struct pages_list *list)
{
	struct batch b = { .n = 0 };

	for (size_t i = 0; i < list->n; i++) {
		const struct pages_piece *p = &list->pieces[i];

		for (uint64_t done = 0; done < p->len;) {
			uint64_t len = p->len - done;

			if (b.n == IOV_LIMIT || b.fd != p->fd || b.bytes == READ_LIMIT ||
			    b.offset + b.bytes != p->offset + done)
				tape_batch(r, t, &b);
			if (!b.n) {
				b.fd = p->fd;
				b.offset = p->offset + done;
				b.bytes = 0;
			}
			if (len > READ_LIMIT - b.bytes)
				len = READ_LIMIT - b.bytes;
			b.iov[b.n].iov_base = (void *)(uintptr_t)(p->addr + done);
			b.iov[b.n++].iov_len = len;
			b.bytes += len;
			done += len;
		}
	}
	tape_batch(r, t, &b);
}
