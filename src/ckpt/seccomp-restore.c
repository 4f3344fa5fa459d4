/*
 * seccomp-restore: system call filters.
 *
 * Installing one takes CAP_SYS_ADMIN or no_new_privs, so it comes before the
 * credentials; and a filter may forbid what is still to be done. Therefore M
 * holds such a task by ptrace with seccomp suspended until it is in its own
 * program (launch-restore.c).
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "ckpt/restore-priv.h"

#define CHAIN_MAX 1024
#define FILTER_KEPT_FLAGS (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW)

static uint32_t mode_of(const struct rthread *th)
{
	const ThreadCoreEntry *thread = th->core->thread_core;

	return thread->has_seccomp_mode				    ? thread->seccomp_mode
	       : th->core->tc && th->core->tc->has_old_seccomp_mode ? th->core->tc->old_seccomp_mode
								    : SECCOMP_MODE_DISABLED;
}

bool seccomp_wanted(const struct rtask *t)
{
	for (size_t i = 0; i < t->n_threads; i++)
		if (mode_of(&t->threads[i]) != SECCOMP_MODE_DISABLED)
			return true;
	return false;
}

/* The thread's is the one it installed first, each one's `prev` the next. */
static bool first_filter(const struct rthread *th, uint32_t *ret_index)
{
	const ThreadCoreEntry *thread = th->core->thread_core;

	if (mode_of(th) != SECCOMP_MODE_FILTER)
		return false;
	*ret_index = thread->has_seccomp_filter ? thread->seccomp_filter
		     : th->core->tc		? th->core->tc->old_seccomp_filter
						: 0;
	return true;
}

static int filter_of(const struct restore *r, uint32_t index, const SeccompFilter **ret,
		     struct error *err)
{
	const SeccompFilter *f;

	if (!r->seccomp || index >= r->seccomp->n_seccomp_filters)
		return err_set(err, -EBADMSG, "seccomp.img: no filter %u", index);
	f = r->seccomp->seccomp_filters[index];
	if (!f->filter.len || f->filter.len % sizeof(struct sock_filter) ||
	    f->filter.len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_set(err, -EBADMSG, "seccomp.img: filter %u has %zu bytes", index,
			       f->filter.len);
	*ret = f;
	return 0;
}

static bool same_filter(const SeccompFilter *a, const SeccompFilter *b)
{
	return a == b ||
	       (a->filter.len == b->filter.len && a->has_flags == b->has_flags &&
		a->flags == b->flags && memcmp(a->filter.data, b->filter.data, a->filter.len) == 0);
}

/* With how many equal filters do the chains that begin there begin? At most `most`. */
static int count_common(const struct restore *r, uint32_t a, uint32_t b, size_t most, size_t *ret,
			struct error *err)
{
	size_t n = 0;

	while (n < most) {
		const SeccompFilter *fa = NULL;
		const SeccompFilter *fb = NULL;
		int ret_a = filter_of(r, a, &fa, err);
		int ret_b = ret_a < 0 ? ret_a : filter_of(r, b, &fb, err);

		if (ret_b < 0)
			return ret_b;
		if (!same_filter(fa, fb))
			break;
		n++;
		if (!fa->has_prev || !fb->has_prev)
			break;
		a = fa->prev;
		b = fb->prev;
	}
	*ret = n;
	return 0;
}

/*
 * Filters that all threads began with were one for all of them, which a later
 * SECCOMP_FILTER_FLAG_TSYNC requires. The first thread installs them for all.
 */
int seccomp_plan(struct restore *r, struct rtask *t, struct error *err)
{
	uint32_t first = 0;
	size_t common = CHAIN_MAX;

	t->common_filters = 0;
	if (t->n_threads == 1 || !first_filter(&t->threads[0], &first))
		return 0;
	for (size_t i = 1; i < t->n_threads; i++) {
		uint32_t index = 0;
		int ret;

		if (!first_filter(&t->threads[i], &index))
			return 0;
		ret = count_common(r, first, index, common, &common, err);
		if (ret < 0)
			return ret;
	}
	t->common_filters = common;
	t->synced = area_add_word(&r->area);
	return 0;
}

static int tape_filter(struct restore *r, struct rtask *t, struct rthread *th, uint32_t index,
		       bool for_all, struct error *err)
{
	const SeccompFilter *f = NULL;
	struct sock_fprog program;
	uint64_t code;
	uint32_t flags, entry;
	int ret = filter_of(r, index, &f, err);

	if (ret < 0)
		return ret;
	flags = f->has_flags ? f->flags : 0;
	if (flags & ~(uint32_t)(FILTER_KEPT_FLAGS | SECCOMP_FILTER_FLAG_TSYNC))
		return err_set(err, -EOPNOTSUPP, "task %u (%s): seccomp filter with flags %#x",
			       t->pid, rtask_comm(t), flags);
	flags &= FILTER_KEPT_FLAGS;
	if (for_all)
		flags |= SECCOMP_FILTER_FLAG_TSYNC;
	code = area_add(&r->area, f->filter.data, f->filter.len);
	memset(&program, 0, sizeof(program));
	program.len = (unsigned short)(f->filter.len / sizeof(struct sock_filter));
	program.filter = (struct sock_filter *)(uintptr_t)restore_addr(r, code);
	entry = tape_call(th->tape, SYS_seccomp,
			  TAPE_ARGS(tape_imm(SECCOMP_SET_MODE_FILTER), tape_imm(flags),
				    tape_at(area_add(&r->area, &program, sizeof(program)))),
			  "seccomp filter %u%s", index, for_all ? " for all threads" : "");
	tape_expect(th->tape, entry, PIE_RULE_EQUAL, 0); /* else a thread that has others */
	return 0;
}

static int tape_chain(struct restore *r, struct rtask *t, struct rthread *th, uint32_t index,
		      struct error *err)
{
	bool leads = th == &t->threads[0];

	for (size_t n = 0;; n++) {
		const SeccompFilter *f = NULL;
		bool common = n < t->common_filters;
		int ret = filter_of(r, index, &f, err);

		if (ret >= 0 && n == CHAIN_MAX)
			ret = err_set(err, -EBADMSG, "seccomp.img: no end behind filter %u", index);
		if (ret >= 0 && n && n == t->common_filters && !leads)
			tape_barrier(th->tape, t->synced, 1, "waiting for common filters");
		if (ret >= 0 && (leads || !common))
			ret = tape_filter(r, t, th, index, common, err);
		if (ret >= 0 && leads && n + 1 == t->common_filters)
			tape_post(th->tape, t->synced, "filters that all have are there");
		if (ret < 0 || !f->has_prev)
			return ret;
		index = f->prev;
	}
}

int seccomp_tape(struct restore *r, struct rtask *t, struct rthread *th, struct error *err)
{
	uint32_t index = 0;

	if (mode_of(th) == SECCOMP_MODE_STRICT)
		tape_call(th->tape, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_SECCOMP), tape_imm(SECCOMP_MODE_STRICT)),
			  "strict seccomp");
	return first_filter(th, &index) ? tape_chain(r, t, th, index, err) : 0;
}
