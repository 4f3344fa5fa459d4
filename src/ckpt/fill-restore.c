/*
 * fill-restore: content into mappings, in huge pages where a huge page will be full.
 *
 * Reading into fresh memory costs a fault for each page of 4 KiB, three times as
 * much as the copying. Where 2 MiB at a time come from the images, huge pages take
 * their place:
 *
 *	advised, or system-wide "always"    read in place, the kernel faults in huge ones
 *	otherwise                           read into a staging mapping that is advised,
 *	                                    then moved into place by userfaultfd (UFFDIO_MOVE)
 *	"never", PR_SET_THP_DISABLE,        small pages
 *	MADV_NOHUGEPAGE
 *
 * Advising the mapping itself would do, but can't be taken back. All else is read
 * with huge pages switched off for the process: a huge page that is mostly
 * empty would cost memory that the program never used.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/kern.h"
#include "ckpt/mem-restore.h"
#include "ckpt/restore-priv.h"

#define HUGE ((uint64_t)2 << 20)
#define USER_MODE_ONLY 1 /* UFFD_USER_MODE_ONLY, since Linux 5.11 */

/* include/uapi/linux/userfaultfd.h, since Linux 6.8 */
struct uffd_move {
	uint64_t dst;
	uint64_t src;
	uint64_t len;
	uint64_t mode;
	int64_t moved; /* set by the kernel */
};

#define UFFD_MOVE _IOWR(UFFDIO, 0x05, struct uffd_move)
#define UFFD_MOVE_FEATURE (UINT64_C(1) << 16)

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

enum policy {
	POLICY_NEVER,
	POLICY_ADVISED,
	POLICY_ALWAYS,
};

struct fill {
	struct restore *r;
	struct rtask *t;
	enum policy policy;
	struct pages_list small; /* read in place, page by page */
	struct pages_list huge;	 /* read in place, whole huge pages */
	struct pages_list moved; /* whole huge pages, by way of the staging mapping */
	size_t vma;		 /* the first that ends behind the current address */
	size_t kept;		 /* the same of what was inherited */
};

static enum policy system_policy(void)
{
	cleanup_free char *text = NULL;
	size_t len = 0;

	if (file_read_at(AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/enabled", 256, &text, &len,
			 NULL) < 0)
		return POLICY_NEVER; /* a kernel without them */
	if (strstr(text, "[always]"))
		return POLICY_ALWAYS;
	return strstr(text, "[madvise]") ? POLICY_ADVISED : POLICY_NEVER;
}

static bool has_advice(const VmaEntry *v, int advice)
{
	return v->has_madv && v->madv >> advice & 1;
}

/* Which list takes the whole huge pages of that mapping. */
static struct pages_list *list_for(struct fill *f, size_t vma)
{
	const VmaEntry *v = f->t->mm->vmas[vma];
	const uint32_t never = MAP_HUGETLB | MAP_DROPPABLE | MAP_GROWSDOWN;

	if (f->policy == POLICY_NEVER || !(v->status & VMA_ANON_PRIVATE) || v->flags & never ||
	    has_advice(v, MADV_NOHUGEPAGE))
		return &f->small;
	if (f->policy == POLICY_ALWAYS || has_advice(v, MADV_HUGEPAGE))
		return &f->huge;
	/* The staging mapping must have the same rights. */
	if (mem_working_prot(f->t->mem, vma, v) != (PROT_READ | PROT_WRITE) ||
	    !kern_has(KERN_UFFD_MOVE))
		return &f->small;
	return &f->moved;
}

static int add(struct pages_list *list, const struct pages_piece *whole, uint64_t start,
	       uint64_t end, struct error *err)
{
	const struct pages_piece part = { start, end - start, whole->offset + (start - whole->addr),
					  whole->fd };

	return start < end ? pages_list_add(list, &part, err) : 0;
}

/* Pages that were inherited can't make room for others. */
static bool is_kept(struct fill *f, uint64_t start, uint64_t end)
{
	const struct mem_plan *plan = f->t->mem;

	while (f->kept < plan->n_kept && plan->kept[f->kept].end <= start)
		f->kept++;
	return f->kept < plan->n_kept && plan->kept[f->kept].start < end;
}

/* [start, end) of the piece, all in one mapping. */
static int sort_part(struct fill *f, const struct pages_piece *p, uint64_t start, uint64_t end,
		     struct error *err)
{
	struct pages_list *list = list_for(f, f->vma);
	uint64_t first = (start + HUGE - 1) & ~(HUGE - 1);
	uint64_t last = end & ~(HUGE - 1);
	int ret;

	if (first >= last || is_kept(f, start, end))
		list = &f->small;
	if (list == &f->small)
		return add(list, p, start, end, err);
	ret = add(&f->small, p, start, first, err);
	if (ret >= 0)
		ret = add(list, p, first, last, err);
	return ret < 0 ? ret : add(&f->small, p, last, end, err);
}

static int sort(struct fill *f, struct error *err)
{
	const struct pages_list *reads = &f->t->mem->reads;
	const MmEntry *mm = f->t->mm;
	int ret = 0;

	for (size_t i = 0; i < reads->n && ret >= 0; i++) {
		const struct pages_piece *p = &reads->pieces[i];
		uint64_t end = p->addr + p->len;

		for (uint64_t at = p->addr; at < end && ret >= 0;) {
			uint64_t stop;

			/* pages_plan() has seen that each page lies in a mapping. */
			while (mm->vmas[f->vma]->end <= at)
				f->vma++;
			stop = mm->vmas[f->vma]->end < end ? mm->vmas[f->vma]->end : end;
			ret = sort_part(f, p, at, stop, err);
			at = stop;
		}
	}
	return ret;
}

/* ---- by way of the staging mapping ---- */

static uint32_t tape_uffd(struct fill *f)
{
	const struct uffdio_api api = { .api = UFFD_API, .features = UFFD_MOVE_FEATURE };
	struct tape *tape = f->t->memory;
	uint32_t uffd =
		tape_call(tape, SYS_userfaultfd, TAPE_ARGS(tape_imm(O_CLOEXEC | USER_MODE_ONLY)),
			  "a way to move huge pages");

	tape_call(tape, SYS_ioctl,
		  TAPE_ARGS(tape_slot(uffd), tape_imm(UFFDIO_API),
			    tape_at(area_add(&f->r->area, &api, sizeof(api)))),
		  "a way to move huge pages");
	return uffd;
}

/* The mappings that get huge pages: all that hold one of the pieces. */
static void tape_register(struct fill *f, uint32_t uffd)
{
	const MmEntry *mm = f->t->mm;
	uint64_t done = 0;
	size_t vma = 0;

	for (size_t i = 0; i < f->moved.n; i++) {
		uint64_t end = f->moved.pieces[i].addr + f->moved.pieces[i].len;

		for (uint64_t at = f->moved.pieces[i].addr; at < end; at = mm->vmas[vma]->end) {
			const VmaEntry *v;
			struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

			while (mm->vmas[vma]->end <= at)
				vma++;
			v = mm->vmas[vma];
			if (v->end <= done)
				continue;
			done = v->end;
			reg.range = (struct uffdio_range){ v->start, v->end - v->start };
			tape_call(f->t->memory, SYS_ioctl,
				  TAPE_ARGS(tape_slot(uffd), tape_imm(UFFDIO_REGISTER),
					    tape_at(area_add(&f->r->area, &reg, sizeof(reg)))),
				  "huge pages for %" PRIx64 "-%" PRIx64, v->start, v->end);
		}
	}
}

static void tape_piece(struct fill *f, uint32_t uffd, uint64_t staging, const struct pages_piece *p)
{
	struct tape *tape = f->t->memory;

	for (uint64_t done = 0; done < p->len;) {
		struct uffd_move move = { .dst = p->addr + done, .src = staging };
		uint32_t entry;

		move.len = p->len - done < RESTORE_STAGING ? p->len - done : RESTORE_STAGING;
		entry = tape_call(tape, SYS_pread64,
				  TAPE_ARGS(tape_imm((uint64_t)p->fd), tape_imm(staging),
					    tape_imm(move.len), tape_imm(p->offset + done)),
				  "reading %" PRIu64 " huge pages for %" PRIx64, move.len / HUGE,
				  move.dst);
		tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)move.len);
		tape_call(tape, SYS_ioctl,
			  TAPE_ARGS(tape_slot(uffd), tape_imm(UFFD_MOVE),
				    tape_at(area_add(&f->r->area, &move, sizeof(move)))),
			  "moving %" PRIu64 " huge pages to %" PRIx64, move.len / HUGE, move.dst);
		done += move.len;
	}
}

static void tape_moved(struct fill *f)
{
	uint64_t staging = (f->r->base + RESTORE_HOLE - RESTORE_STAGING) & ~(HUGE - 1);
	struct tape *tape = f->t->memory;
	uint32_t uffd, entry;

	if (!f->moved.n)
		return;
	uffd = tape_uffd(f);
	tape_register(f, uffd);
	entry = tape_call(tape, SYS_mmap,
			  TAPE_ARGS(tape_imm(staging), tape_imm(RESTORE_STAGING),
				    tape_imm(PROT_READ | PROT_WRITE),
				    tape_imm(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
					     MAP_FIXED_NOREPLACE),
				    tape_imm((uint64_t)-1), tape_imm(0)),
			  "a place for huge pages");
	tape_expect(tape, entry, PIE_RULE_EQUAL, (int64_t)staging);
	tape_call(tape, SYS_madvise,
		  TAPE_ARGS(tape_imm(staging), tape_imm(RESTORE_STAGING), tape_imm(MADV_HUGEPAGE)),
		  "a place for huge pages");
	for (size_t i = 0; i < f->moved.n; i++)
		tape_piece(f, uffd, staging, &f->moved.pieces[i]);
	tape_call(tape, SYS_munmap, TAPE_ARGS(tape_imm(staging), tape_imm(RESTORE_STAGING)),
		  "leaving the place for huge pages");
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(uffd)), "all huge pages are in place");
}

static void tape_thp(struct fill *f, bool on)
{
	if (f->policy != POLICY_NEVER)
		tape_call(f->t->memory, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_THP_DISABLE), tape_imm(!on)), "huge pages %s",
			  on ? "again" : "not here");
}

int fill_tape(struct restore *r, struct rtask *t, struct error *err)
{
	const MmEntry *mm = t->mm;
	struct fill f = { .r = r, .t = t };
	int ret;

	if (!(mm->has_thp_disabled && mm->thp_disabled))
		f.policy = system_policy();
	ret = sort(&f, err);
	if (ret >= 0) {
		if (f.small.n) {
			tape_thp(&f, false);
			pages_tape(r, t, &f.small);
			tape_thp(&f, true);
		}
		pages_tape(r, t, &f.huge);
		tape_moved(&f);
	}
	free(f.small.pieces);
	free(f.huge.pieces);
	free(f.moved.pieces);
	return ret;
}
