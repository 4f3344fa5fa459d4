/*
 * thread-restore: what each thread has of its own, and threads behind the first.
 *
 * The first thread's become tape makes the others as soon as the task's memory
 * is there. Each plays a tape of its own on a stack in the area, up to the last
 * barrier; M takes it from there (guide-restore.c), since nobody else could tell
 * when a thread is out of the area, so that it may be unmapped.
 *
 *	first	memory | clone3 ... | own things | wait: ready | built | released | leave
 *	others	               | own things | ready | (held by M, put where it was)
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "ckpt/restore-priv.h"

#define THREAD_STACK 2048 /* the player needs a tenth of it */

#define THREAD_FLAGS                                                                               \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static void tape_scheduling(struct restore *r, struct rthread *th)
{
	const ThreadCoreEntry *thread = th->core->thread_core;
	int32_t priority = (int32_t)thread->sched_prio;

	if (thread->has_sched_nice && thread->sched_nice != getpriority(PRIO_PROCESS, 0))
		tape_call(th->tape, SYS_setpriority,
			  TAPE_ARGS(tape_imm(PRIO_PROCESS), tape_imm(0),
				    tape_imm((uint64_t)(int64_t)thread->sched_nice)),
			  "nice value %d", thread->sched_nice);
	if (thread->has_sched_policy && (int)thread->sched_policy != sched_getscheduler(0))
		tape_call(th->tape, SYS_sched_setscheduler,
			  TAPE_ARGS(tape_imm(0), tape_imm(thread->sched_policy),
				    tape_at(area_add(&r->area, &priority, sizeof(priority)))),
			  "scheduling policy %u", thread->sched_policy);
}

#define IO_PRIORITY_OF_THREAD 1 /* IOPRIO_WHO_PROCESS */

static void tape_placement(struct restore *r, struct rthread *th)
{
	const ThreadCoreEntry *thread = th->core->thread_core;
	uint32_t entry;

	if (thread->has_cpu_mask && thread->cpu_mask.len) {
		entry = tape_call(th->tape, SYS_sched_setaffinity,
				  TAPE_ARGS(tape_imm(0), tape_imm(thread->cpu_mask.len),
					    tape_at(area_add(&r->area, thread->cpu_mask.data,
							     thread->cpu_mask.len))),
				  "processors it may use");
		tape_expect(th->tape, entry, PIE_RULE_OK_OR, EINVAL); /* none of them is here */
	}
	if (thread->has_io_priority)
		tape_call(th->tape, SYS_ioprio_set,
			  TAPE_ARGS(tape_imm(IO_PRIORITY_OF_THREAD), tape_imm(0),
				    tape_imm(thread->io_priority)),
			  "io priority %#x", thread->io_priority);
	if (thread->has_timer_slack && thread->timer_slack)
		tape_call(th->tape, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_TIMERSLACK), tape_imm(thread->timer_slack)),
			  "timer slack of %" PRIu64 " ns", thread->timer_slack);
}

static void tape_pointers(struct rthread *th)
{
	const ThreadCoreEntry *thread = th->core->thread_core;
	const RseqEntry *rseq = thread->rseq_entry;

	tape_call(th->tape, SYS_set_tid_address,
		  TAPE_ARGS(tape_imm(th->core->thread_info->clear_tid_addr)), "thread id address");
	if (thread->futex_rla)
		tape_call(th->tape, SYS_set_robust_list,
			  TAPE_ARGS(tape_imm(thread->futex_rla), tape_imm(thread->futex_rla_len)),
			  "list of robust futexes");
	if (rseq && rseq->rseq_abi_pointer)
		tape_call(th->tape, SYS_rseq,
			  TAPE_ARGS(tape_imm(rseq->rseq_abi_pointer), tape_imm(rseq->rseq_abi_size),
				    tape_imm(0), tape_imm(rseq->signature)),
			  "restartable sequences");
}

void thread_tape_own(struct restore *r, struct rthread *th)
{
	const char *comm = th->core->thread_core->comm;

	if (!comm && th->core->tc)
		comm = th->core->tc->comm;
	if (comm)
		tape_call(
			th->tape, SYS_prctl,
			TAPE_ARGS(tape_imm(PR_SET_NAME), tape_at(area_add_string(&r->area, comm))),
			"being called '%s'", comm);
	tape_pointers(th);
	tape_scheduling(r, th);
	tape_placement(r, th);
	signal_tape_stack(r, th);
}

static int tape_thread(struct restore *r, struct rtask *t, struct rthread *th, struct error *err)
{
	const ThreadCoreEntry *core = th->core->thread_core;
	int ret = regs_plan_thread(r, t, th, err);

	if (ret < 0)
		return ret;
	thread_tape_own(r, th);
	if (seccomp_wanted(t)) {
		tape_barrier(th->tape, r->words.seized, 1, "waiting to be seized");
		ret = seccomp_tape(r, t, th, err);
	}
	if (ret >= 0)
		ret = cred_tape(r, t, th, err);
	if (ret < 0)
		return ret;
	/* Other credentials would take it away. */
	if (core->has_pdeath_sig && core->pdeath_sig)
		tape_call(th->tape, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_PDEATHSIG), tape_imm(core->pdeath_sig)),
			  "signal at the death of its parent");
	ret = signal_tape_pending(r, t, th, err);
	if (ret < 0)
		return ret;
	tape_post_last(th->tape, t->ready, (uint32_t)t->n_threads - 1, "complete");
	/* Not its end: M takes it out of here. */
	tape_barrier(th->tape, r->words.never, 1, "waiting to be led out");
	return 0;
}

int threads_tape(struct restore *r, struct rtask *t, struct error *err)
{
	uint32_t own = (uint32_t)personality(0xffffffff);
	int ret;

	/* Before there are others: they inherit it. */
	if (t->core->tc->personality != own)
		tape_call(t->become, SYS_personality, TAPE_ARGS(tape_imm(t->core->tc->personality)),
			  "personality %#x", t->core->tc->personality);
	if (t->n_threads == 1)
		return 0;
	ret = seccomp_plan(r, t, err);
	if (ret < 0)
		return ret;
	t->ready = area_add_word(&r->area);
	for (size_t i = 1; i < t->n_threads; i++) {
		struct rthread *th = &t->threads[i];
		struct clone_args args = { .flags = THREAD_FLAGS };
		int32_t tid = (int32_t)th->tid;
		uint32_t entry;

		th->tape = area_add_tape(&r->area, th->tid, "thread");
		if (!th->tape)
			return err_oom(err);
		th->tape->stack_size = THREAD_STACK;
		args.set_tid = area_add(&r->area, &tid, sizeof(tid));
		args.set_tid_size = 1;
		entry = tape_fork(t->become, area_add(&r->area, &args, sizeof(args)), th->tape,
				  "making thread %u", th->tid);
		tape_expect(t->become, entry, PIE_RULE_EQUAL, tid);
		ret = tape_thread(r, t, th, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void threads_tape_wait(struct rtask *t)
{
	if (t->n_threads > 1)
		tape_barrier(t->become, t->ready, (uint32_t)t->n_threads - 1,
			     "waiting for its threads");
}
