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

static int tape_filter(struct restore *r, struct rtask *t, struct rthread *th,
		       const SeccompFilter *f, uint32_t index, struct error *err)
{
	struct sock_fprog program;
	uint64_t code;
	uint32_t flags = f->has_flags ? f->flags : 0;

	if (!f->filter.len || f->filter.len % sizeof(struct sock_filter) ||
	    f->filter.len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_set(err, -EBADMSG, "seccomp.img: filter %u has %zu bytes", index,
			       f->filter.len);
	if (flags & ~(uint32_t)(FILTER_KEPT_FLAGS | SECCOMP_FILTER_FLAG_TSYNC))
		return err_set(err, -EOPNOTSUPP, "task %u (%s): seccomp filter with flags %#x",
			       t->pid, rtask_comm(t), flags);
	code = area_add(&r->area, f->filter.data, f->filter.len);
	memset(&program, 0, sizeof(program));
	program.len = (unsigned short)(f->filter.len / sizeof(struct sock_filter));
	program.filter = (struct sock_filter *)(uintptr_t)restore_addr(r, code);
	tape_call(th->tape, SYS_seccomp,
		  TAPE_ARGS(tape_imm(SECCOMP_SET_MODE_FILTER), tape_imm(flags & FILTER_KEPT_FLAGS),
			    tape_at(area_add(&r->area, &program, sizeof(program)))),
		  "seccomp filter %u", index);
	return 0;
}

int seccomp_tape(struct restore *r, struct rtask *t, struct rthread *th, struct error *err)
{
	const ThreadCoreEntry *thread = th->core->thread_core;
	uint32_t index;
	size_t n = 0;

	if (mode_of(th) == SECCOMP_MODE_DISABLED)
		return 0;
	if (mode_of(th) == SECCOMP_MODE_STRICT) {
		tape_call(th->tape, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_SECCOMP), tape_imm(SECCOMP_MODE_STRICT)),
			  "strict seccomp");
		return 0;
	}
	index = thread->has_seccomp_filter ? thread->seccomp_filter
		: th->core->tc		   ? th->core->tc->old_seccomp_filter
					   : 0;
	/* The thread's is the one it installed first, each one's `prev` the next. */
	for (;;) {
		const SeccompFilter *f = NULL;
		int ret;

		if (!r->seccomp || index >= r->seccomp->n_seccomp_filters || n++ == CHAIN_MAX)
			return err_set(err, -EBADMSG, "seccomp.img: no filter %u", index);
		f = r->seccomp->seccomp_filters[index];
		ret = tape_filter(r, t, th, f, index, err);
		if (ret < 0 || !f->has_prev)
			return ret;
		index = f->prev;
	}
}
