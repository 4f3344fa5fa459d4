/*
 * ask: what a task can only be asked by system calls of its own.
 *
 * Signal handlers, interval and POSIX timers, the end of the heap and some
 * prctl(2) values have no outside view. One tape per process asks its first
 * thread for all of them at once; further threads have their own signal stack,
 * and little else.
 *
 *	+--------------------+ answers.actions    kernel sigaction, one per signal
 *	| struct answers     | answers.timers     itimerval of REAL, VIRTUAL, PROF
 *	+--------------------+ answers.posix      timers_n itimerspecs follow
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "ckpt/dump-priv.h"
#include "ckpt/posix-timers.h"
#include "trace/area.h"
#include "trace/remote.h"
#include "trace/tape.h"

#define N_SIGNALS 64
#define SIGSET_SIZE 8
#define MEMBARRIER_GET_REGISTRATIONS (1 << 9)

struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

struct thread_answers {
	stack_t altstack;
	uint64_t tid_address;
	int32_t pdeathsig;
	int32_t pad;
};

struct answers {
	struct kernel_sigaction actions[N_SIGNALS];
	struct itimerval timers[3];
	struct thread_answers thread;
	int32_t subreaper;
};

/* Entries whose result is the answer. */
struct asked {
	uint64_t answers; /* offset of struct answers */
	uint64_t posix;	  /* offset of struct itimerspec[] */
	uint64_t further; /* offset of struct thread_answers[], of threads behind the first */
	uint32_t brk;
	uint32_t dumpable;
	uint32_t securebits;
	uint32_t timer_slack;
	uint32_t thp;
	uint32_t membarrier;
	uint32_t first_overrun; /* then every second one */
};

#define ANSWER(asked, field) tape_at((asked)->answers + offsetof(struct answers, field))

static void ask_thread(struct tape *tape, struct asked *asked)
{
	uint32_t entry;

	(void)tape_call(tape, SYS_sigaltstack,
			TAPE_ARGS(tape_imm(0), ANSWER(asked, thread.altstack)), "signal stack");
	(void)tape_call(tape, SYS_prctl,
			TAPE_ARGS(tape_imm(PR_GET_PDEATHSIG), ANSWER(asked, thread.pdeathsig)),
			"parent death signal");
	entry = tape_call(
		tape, SYS_prctl,
		TAPE_ARGS(tape_imm(PR_GET_TID_ADDRESS), ANSWER(asked, thread.tid_address)),
		"tid address");
	tape_expect(tape, entry, PIE_RULE_OK, 0);
	asked->securebits =
		tape_call(tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_GET_SECUREBITS)), "securebits");
	asked->timer_slack =
		tape_call(tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_GET_TIMERSLACK)), "timer slack");
}

static void ask_process(struct tape *tape, struct asked *asked)
{
	static const struct {
		int which;
		const char *name;
	} timers[] = { { ITIMER_REAL, "real timer" },
		       { ITIMER_VIRTUAL, "virtual timer" },
		       { ITIMER_PROF, "profiling timer" } };

	for (int signal = 1; signal <= N_SIGNALS; signal++) {
		uint64_t at = asked->answers + offsetof(struct answers, actions) +
			      (uint64_t)(signal - 1) * sizeof(struct kernel_sigaction);

		if (signal == SIGKILL || signal == SIGSTOP)
			continue;
		(void)tape_call(tape, SYS_rt_sigaction,
				TAPE_ARGS(tape_imm((uint64_t)signal), tape_imm(0), tape_at(at),
					  tape_imm(SIGSET_SIZE)),
				"action of signal %d", signal);
	}
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		uint64_t at = asked->answers + offsetof(struct answers, timers) +
			      i * sizeof(struct itimerval);

		(void)tape_call(tape, SYS_getitimer,
				TAPE_ARGS(tape_imm((uint64_t)timers[i].which), tape_at(at)), "%s",
				timers[i].name);
	}
	asked->brk = tape_call(tape, SYS_brk, TAPE_ARGS(tape_imm(0)), "end of the heap");
	asked->dumpable =
		tape_call(tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_GET_DUMPABLE)), "dumpable");
	(void)tape_call(tape, SYS_prctl,
			TAPE_ARGS(tape_imm(PR_GET_CHILD_SUBREAPER), ANSWER(asked, subreaper)),
			"child subreaper");
	asked->thp = tape_call(tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_GET_THP_DISABLE)),
			       "huge pages allowed");
	tape_expect(tape, asked->thp, PIE_RULE_ANY, 0);
	asked->membarrier =
		tape_call(tape, SYS_membarrier, TAPE_ARGS(tape_imm(MEMBARRIER_GET_REGISTRATIONS)),
			  "membarrier registrations");
	tape_expect(tape, asked->membarrier, PIE_RULE_ANY, 0); /* since Linux 6.3 */
}

static void ask_posix_timers(struct tape *tape, struct asked *asked,
			     const struct posix_timers *timers)
{
	for (size_t i = 0; i < timers->n; i++) {
		uint64_t id = timers->timers[i].id;
		uint32_t entry;

		(void)tape_call(tape, SYS_timer_gettime,
				TAPE_ARGS(tape_imm(id),
					  tape_at(asked->posix + i * sizeof(struct itimerspec))),
				"timer %" PRIu64, id);
		entry = tape_call(tape, SYS_timer_getoverrun, TAPE_ARGS(tape_imm(id)),
				  "overruns of timer %" PRIu64, id);
		if (i == 0)
			asked->first_overrun = entry;
	}
}

static int set_actions(struct dump *dump, const struct answers *answers, TaskCoreEntry *tc,
		       struct error *err)
{
	size_t n = 0;

	tc->sigactions = arena_new_array(&dump->arena, SaEntry *, N_SIGNALS);
	if (!tc->sigactions)
		return err_oom(err);
	for (int signal = 1; signal <= N_SIGNALS; signal++) {
		const struct kernel_sigaction *action = &answers->actions[signal - 1];
		SaEntry *entry;

		if (signal == SIGKILL || signal == SIGSTOP)
			continue;
		entry = arena_new(&dump->arena, SaEntry);
		if (!entry)
			return err_oom(err);
		sa_entry__init(entry);
		entry->sigaction = action->handler;
		entry->flags = action->flags;
		entry->restorer = action->restorer;
		entry->mask = action->mask;
		entry->has_compat_sigaction = true;
		tc->sigactions[n++] = entry;
	}
	tc->n_sigactions = n;
	return 0;
}

static ItimerEntry *itimer_of(struct dump *dump, const struct itimerval *timer)
{
	ItimerEntry *entry = arena_new(&dump->arena, ItimerEntry);

	if (!entry)
		return NULL;
	itimer_entry__init(entry);
	entry->isec = (uint64_t)timer->it_interval.tv_sec;
	entry->iusec = (uint64_t)timer->it_interval.tv_usec;
	entry->vsec = (uint64_t)timer->it_value.tv_sec;
	entry->vusec = (uint64_t)timer->it_value.tv_usec;
	return entry;
}

static int set_timers(struct dump *dump, const struct answers *answers,
		      const struct posix_timers *posix, TaskCoreEntry *tc, struct error *err)
{
	TaskTimersEntry *timers = arena_new(&dump->arena, TaskTimersEntry);

	if (!timers)
		return err_oom(err);
	task_timers_entry__init(timers);
	timers->real = itimer_of(dump, &answers->timers[0]);
	timers->virt = itimer_of(dump, &answers->timers[1]);
	timers->prof = itimer_of(dump, &answers->timers[2]);
	if (!timers->real || !timers->virt || !timers->prof)
		return err_oom(err);
	tc->timers = timers;
	return posix_timers_record(posix, &dump->arena, timers, err);
}

static int set_thread(struct dump *dump, struct dump_thread *thread,
		      const struct thread_answers *answers, int64_t securebits, int64_t timer_slack,
		      struct error *err)
{
	ThreadCoreEntry *core = thread->core->thread_core;

	core->sas = arena_new(&dump->arena, ThreadSasEntry);
	if (!core->sas)
		return err_oom(err);
	thread_sas_entry__init(core->sas);
	core->sas->ss_sp = (uint64_t)answers->altstack.ss_sp;
	core->sas->ss_size = answers->altstack.ss_size;
	core->sas->ss_flags = (uint32_t)answers->altstack.ss_flags;
	if (answers->pdeathsig) {
		core->has_pdeath_sig = true;
		core->pdeath_sig = (uint32_t)answers->pdeathsig;
	}
	thread->core->thread_info->clear_tid_addr = answers->tid_address;
	core->creds->secbits = (uint32_t)securebits;
	core->has_timer_slack = true;
	core->timer_slack = (uint64_t)timer_slack;
	return 0;
}

static int use_answers(struct dump *dump, struct dump_task *task, const struct tape *tape,
		       const struct asked *asked, const struct pie_area *live,
		       struct posix_timers *posix, MmEntry *mm, struct error *err)
{
	const char *bytes = (const char *)live;
	struct answers answers;
	TaskCoreEntry *tc = task->threads[0].core->tc;
	int64_t result;
	int r;

	memcpy(&answers, bytes + asked->answers, sizeof(answers));
	r = set_thread(dump, &task->threads[0], &answers.thread,
		       tape_result(tape, live, asked->securebits),
		       tape_result(tape, live, asked->timer_slack), err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < posix->n; i++) {
		memcpy(&posix->timers[i].value,
		       bytes + asked->posix + i * sizeof(struct itimerspec),
		       sizeof(struct itimerspec));
		posix->timers[i].overrun =
			(uint32_t)tape_result(tape, live, asked->first_overrun + 2 * (uint32_t)i);
	}
	mm->mm_brk = (uint64_t)tape_result(tape, live, asked->brk);
	mm->has_dumpable = true;
	mm->dumpable = (int32_t)tape_result(tape, live, asked->dumpable);
	mm->has_thp_disabled = true;
	mm->thp_disabled = tape_result(tape, live, asked->thp) > 0;
	tc->has_child_subreaper = true;
	tc->child_subreaper = answers.subreaper != 0;
	result = tape_result(tape, live, asked->membarrier);
	if (result > 0) {
		tc->has_membarrier_registration_mask = true;
		tc->membarrier_registration_mask = (uint32_t)result;
	}
	r = set_actions(dump, &answers, tc, err);
	if (r < 0)
		return r;
	return set_timers(dump, &answers, posix, tc, err);
}

/* /proc tells thread ids as we see them. */
static int translate_notified(const struct dump_task *task, struct posix_timers *timers,
			      struct error *err)
{
	for (size_t i = 0; i < timers->n; i++) {
		pid_t host_tid = timers->timers[i].notify_tid;
		size_t t = 0;

		if (!host_tid)
			continue;
		while (t < task->n_threads && task->threads[t].host_tid != host_tid)
			t++;
		if (t == task->n_threads)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: timer %" PRIu64
				       " signals thread %d, which is gone",
				       task->host_pid, timers->timers[i].id, host_tid);
		timers->timers[i].notify_tid = task->threads[t].ns_tid;
	}
	return 0;
}

/* Where the answers of thread i, counted from the second, lie. */
#define FURTHER(asked, i, field)                                                                   \
	tape_at((asked)->further + (i) * sizeof(struct thread_answers) +                           \
		offsetof(struct thread_answers, field))

static void set_question(const struct dump_thread *thread, const struct asked *asked, size_t i,
			 struct remote_question *q)
{
	*q = (struct remote_question){
		.host_tid = thread->host_tid,
		.regs = &thread->regs_now,
		.sigmask = thread->core->thread_core->blk_sigset,
		.filtered = thread->core->thread_core->has_seccomp_mode &&
			    thread->core->thread_core->seccomp_mode,
		.calls = {
			{ SYS_sigaltstack, { tape_imm(0), FURTHER(asked, i, altstack) }, 0 },
			{ SYS_prctl, { tape_imm(PR_GET_PDEATHSIG), FURTHER(asked, i, pdeathsig) }, 0 },
			{ SYS_prctl, { tape_imm(PR_GET_TID_ADDRESS), FURTHER(asked, i, tid_address) }, 0 },
			{ SYS_prctl, { tape_imm(PR_GET_SECUREBITS) }, 0 },
			{ SYS_prctl, { tape_imm(PR_GET_TIMERSLACK) }, 0 },
		},
		.n_calls = 5,
	};
}

static int use_further(struct dump *dump, struct dump_thread *thread,
		       const struct remote_question *q, const struct thread_answers *answers,
		       struct error *err)
{
	for (size_t i = 0; i < q->n_calls; i++) {
		if (q->calls[i].result < 0)
			return err_set(err, (int)q->calls[i].result,
				       "thread %d: what it was asked: %s", thread->host_tid,
				       strerror((int)-q->calls[i].result));
	}
	return set_thread(dump, thread, answers, q->calls[3].result, q->calls[4].result, err);
}

/* What belongs to a thread, asked of those behind the first. */
static int ask_further(struct dump *dump, struct dump_task *task, const struct asked *asked,
		       struct remote *remote, struct error *err)
{
	size_t n = task->n_threads - 1;
	cleanup_free struct remote_question *questions = calloc(n + 1, sizeof(*questions));
	cleanup_free struct thread_answers *answers = calloc(n + 1, sizeof(*answers));
	int r = 0;

	if (!questions || !answers)
		return err_oom(err);
	for (size_t i = 0; i < n; i++)
		set_question(&task->threads[i + 1], asked, i, &questions[i]);
	if (n)
		r = remote_ask_threads(remote, questions, n, err);
	if (n && r == 0)
		r = remote_read(remote, asked->further, answers, n * sizeof(*answers), err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = use_further(dump, &task->threads[i + 1], &questions[i], &answers[i], err);
	return r;
}

int dump_ask(struct dump *dump, struct dump_task *task, MmEntry *mm, struct error *err)
{
	struct posix_timers posix = { .n = 0 };
	struct dump_thread *leader = &task->threads[0];
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area = { .size = 0 };
	struct asked asked = { .brk = 0 };
	struct tape *tape;
	int r;

	r = posix_timers_read(task->proc, &dump->arena, &posix, err);
	if (r == 0)
		r = translate_notified(task, &posix, err);
	if (r == 0)
		r = area_init(&area, err);
	if (r < 0)
		return r;
	tape = area_add_tape(&area, (uint32_t)leader->host_tid, "ask");
	asked.answers = area_alloc(&area, sizeof(struct answers), 16);
	asked.posix = area_alloc(&area, posix.n * sizeof(struct itimerspec) + 1, 16);
	asked.further = area_alloc(&area, task->n_threads * sizeof(struct thread_answers), 16);
	ask_thread(tape, &asked);
	ask_process(tape, &asked);
	ask_posix_timers(tape, &asked, &posix);
	r = remote_begin(&remote, leader->host_tid, &task->status, &area, tape, err);
	if (r == 0)
		r = use_answers(dump, task, tape, &asked, remote.live, &posix, mm, err);
	if (r == 0)
		r = ask_further(dump, task, &asked, &remote, err);
	if (r < 0)
		return r;
	return remote_end(&remote, err);
}
