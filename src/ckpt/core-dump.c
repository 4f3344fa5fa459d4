/*
 * core: what a task and each of its threads are, apart from memory and files.
 */
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crew.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/cgroup.h"
#include "ckpt/creds.h"
#include "ckpt/dump-priv.h"
#include "ckpt/registers.h"
#include "ckpt/seccomp.h"
#include "ckpt/timed-calls.h"
#include "ckpt/userns.h"
#include "trace/regs.h"
#include "trace/remote-mem.h"

/* -ENOENT: this kernel has no such file. */
static int read_number(const struct dump_task *task, const char *name, int base, int64_t *ret,
		       struct error *err)
{
	cleanup_free char *text = NULL;
	char *end;
	size_t len;
	int r;

	r = file_read_record_at(task->proc, name, 64, &text, &len, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", task->host_pid);
	*ret = strtoll(text, &end, base);
	if (end == text)
		return err_set(err, -EBADMSG, "task %d: '%s' holds no number", task->host_pid,
			       name);
	return 0;
}

static int set_rlimits(struct dump *dump, const struct dump_task *task, TaskCoreEntry *tc,
		       struct error *err)
{
	struct proc_limits limits;
	TaskRlimitsEntry *list;
	int r;

	r = proc_limits_of(task->host_pid, &limits, err);
	if (r < 0)
		return r;
	list = arena_new(&dump->arena, TaskRlimitsEntry);
	if (!list)
		return err_oom(err);
	task_rlimits_entry__init(list);
	list->rlimits = arena_new_array(&dump->arena, RlimitEntry *, PROC_N_LIMITS);
	if (!list->rlimits)
		return err_oom(err);
	for (size_t i = 0; i < PROC_N_LIMITS; i++) {
		list->rlimits[i] = arena_new(&dump->arena, RlimitEntry);
		if (!list->rlimits[i])
			return err_oom(err);
		rlimit_entry__init(list->rlimits[i]);
		list->rlimits[i]->cur = limits.cur[i];
		list->rlimits[i]->max = limits.max[i];
	}
	list->n_rlimits = PROC_N_LIMITS;
	tc->rlimits = list;
	return 0;
}

static int set_queue(struct dump *dump, pid_t host_tid, bool shared, SignalQueueEntry **ret,
		     struct error *err)
{
	SignalQueueEntry *queue = arena_new(&dump->arena, SignalQueueEntry);
	cleanup_free siginfo_t *infos = NULL;
	size_t n;
	int r;

	if (!queue)
		return err_oom(err);
	signal_queue_entry__init(queue);
	r = regs_get_sigqueue(host_tid, shared, &infos, &n, err);
	if (r < 0)
		return err_wrap(err, r, "task %d: pending signals", host_tid);
	queue->signals = arena_new_array(&dump->arena, SiginfoEntry *, n);
	if (!queue->signals)
		return err_oom(err);
	for (size_t i = 0; i < n; i++) {
		SiginfoEntry *info = arena_new(&dump->arena, SiginfoEntry);

		if (!info)
			return err_oom(err);
		siginfo_entry__init(info);
		info->siginfo.len = sizeof(siginfo_t);
		info->siginfo.data = arena_memdup(&dump->arena, &infos[i], sizeof(siginfo_t));
		if (!info->siginfo.data)
			return err_oom(err);
		queue->signals[i] = info;
	}
	queue->n_signals = n;
	*ret = queue;
	return 0;
}

/* nice(2) is kept even where the policy does not use it. */
static int set_scheduling(pid_t host_tid, ThreadCoreEntry *core, struct error *err)
{
	struct sched_param param;
	int policy = sched_getscheduler(host_tid);
	int nice_value;

	if (policy < 0)
		return err_sys(err, "task %d: scheduling policy", host_tid);
	if ((policy & ~SCHED_RESET_ON_FORK) == SCHED_DEADLINE)
		return err_set(err, -EOPNOTSUPP,
			       "task %d: it runs under SCHED_DEADLINE: the image format has no "
			       "place for that",
			       host_tid);
	core->has_sched_policy = true;
	core->sched_policy = (uint32_t)policy;
	policy &= ~SCHED_RESET_ON_FORK;
	if (policy == SCHED_FIFO || policy == SCHED_RR) {
		if (sched_getparam(host_tid, &param) < 0)
			return err_sys(err, "task %d: scheduling priority", host_tid);
		core->has_sched_prio = true;
		core->sched_prio = (uint32_t)param.sched_priority;
	}
	errno = 0;
	nice_value = getpriority(PRIO_PROCESS, (id_t)host_tid);
	if (nice_value == -1 && errno)
		return err_sys(err, "task %d: nice", host_tid);
	core->has_sched_nice = true;
	core->sched_nice = nice_value;
	return 0;
}

#define IO_PRIORITY_OF_THREAD 1 /* IOPRIO_WHO_PROCESS */

/* On which processors, unless on all that we may use ourselves: it may come to another machine. */
static int set_placement(struct dump *dump, pid_t host_tid, ThreadCoreEntry *core,
			 struct error *err)
{
	uint8_t mask[CPU_MASK_MAX];
	long n = syscall(SYS_sched_getaffinity, host_tid, sizeof(mask), mask);
	long priority = syscall(SYS_ioprio_get, IO_PRIORITY_OF_THREAD, host_tid);

	if (n < 0)
		return err_sys(err, "task %d: processors it may use", host_tid);
	if (priority < 0)
		return err_sys(err, "task %d: io priority", host_tid);
	if ((size_t)n != dump->cpu_mask_len || memcmp(mask, dump->cpu_mask, (size_t)n) != 0) {
		core->has_cpu_mask = true;
		core->cpu_mask.len = (size_t)n;
		core->cpu_mask.data = arena_memdup(&dump->arena, mask, (size_t)n);
		if (!core->cpu_mask.data)
			return err_oom(err);
	}
	core->has_io_priority = priority >> 13 != 0; /* its class */
	core->io_priority = (uint32_t)priority;
	return 0;
}

/* include/uapi/linux/rseq.h */
struct rseq_area {
	uint32_t cpu_id_start;
	uint32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
};

struct rseq_section {
	uint32_t version;
	uint32_t flags;
	uint64_t start_ip;
	uint64_t post_commit_offset;
	uint64_t abort_ip;
};

#define RSEQ_NO_RESTART_ON_SIGNAL 2

/*
 * A thread inside a restartable sequence must not go on in it after a pause:
 * as the kernel does on preemption, send it to its abort handler. That holds
 * for the target as well, since the tape it plays makes the kernel forget
 * which sequence it was in.
 */
static int leave_sequence(struct dump_thread *thread, const struct regs_rseq *rseq,
			  RseqEntry *entry, bool *ret_moved, struct error *err)
{
	struct rseq_section section;
	struct rseq_area area;
	int r;

	*ret_moved = false;
	r = rmem_read(thread->host_tid, raddr_of(rseq->addr), &area, sizeof(area), err);
	if (r < 0 || !area.rseq_cs)
		return r;
	r = rmem_read(thread->host_tid, raddr_of(area.rseq_cs), &section, sizeof(section), err);
	if (r < 0)
		return r;
	if ((area.flags | section.flags) & RSEQ_NO_RESTART_ON_SIGNAL) {
		entry->has_rseq_cs_pointer = true;
		entry->rseq_cs_pointer = area.rseq_cs;
		return 0;
	}
	if (thread->regs.rip - section.start_ip < section.post_commit_offset) {
		thread->regs.rip = section.abort_ip;
		*ret_moved = true;
	}
	return 0;
}

static int set_rseq(struct dump *dump, struct dump_thread *thread, ThreadCoreEntry *core,
		    struct error *err)
{
	struct user_regs_struct now;
	struct regs_rseq rseq;
	RseqEntry *entry;
	bool moved;
	int r;

	r = regs_get_rseq(thread->host_tid, &rseq, err);
	if (r < 0)
		return r;
	entry = arena_new(&dump->arena, RseqEntry);
	if (!entry)
		return err_oom(err);
	rseq_entry__init(entry);
	entry->rseq_abi_pointer = rseq.addr;
	entry->rseq_abi_size = rseq.len;
	entry->signature = rseq.signature;
	core->rseq_entry = entry;
	if (!rseq.addr)
		return 0;
	r = leave_sequence(thread, &rseq, entry, &moved, err);
	if (r < 0)
		return err_wrap(err, r, "task %d: restartable sequence", thread->host_tid);
	if (!moved)
		return 0;
	r = regs_get(thread->host_tid, &now, err);
	if (r < 0)
		return r;
	now.rip = thread->regs.rip;
	return regs_set(thread->host_tid, &now, err);
}

/* What /proc says. */
static int set_attributes(struct dump *dump, struct dump_thread *thread,
			  const struct proc_status *status, struct error *err)
{
	ThreadCoreEntry *core = thread->core->thread_core;
	int r;

	thread->ns_tid = proc_ids_inner(&status->ns_pid);
	r = creds_record(status, &dump->arena, &core->creds, err);
	if (r == 0)
		r = userns_creds(dump, thread->host_tid, core->creds, err);
	if (r == 0)
		r = seccomp_collect(dump, thread, status, err);
	if (r == 0) {
		core->comm = arena_strdup(&dump->arena, status->comm);
		r = core->comm ? 0 : err_oom(err);
	}
	return r;
}

static int collect_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread,
			  struct error *err)
{
	ThreadCoreEntry *core;
	uint64_t mask;
	int r;

	thread->core = arena_new(&dump->arena, CoreEntry);
	core = arena_new(&dump->arena, ThreadCoreEntry);
	if (!thread->core || !core)
		return err_oom(err);
	core_entry__init(thread->core);
	thread_core_entry__init(core);
	thread->core->mtype = CORE_ENTRY__MARCH__X86_64;
	thread->core->thread_core = core;

	r = regs_get(thread->host_tid, &thread->regs, err);
	if (r < 0)
		return r;
	r = set_rseq(dump, thread, core, err);
	if (r < 0)
		return r;
	thread->regs_now = thread->regs;
	timed_call_resolve(&dump->timed_calls, thread->host_tid, &thread->regs);
	regs_resolve_restart(&thread->regs);
	r = registers_record(&dump->xstate, thread->host_tid, &thread->regs, &dump->arena,
			     &thread->core->thread_info, err);
	if (r < 0)
		return r;
	r = regs_get_robust_list(thread->host_tid, &core->futex_rla, &mask, err);
	if (r < 0)
		return r;
	core->futex_rla_len = (uint32_t)mask;
	r = set_scheduling(thread->host_tid, core, err);
	if (r == 0)
		r = set_placement(dump, thread->host_tid, core, err);
	if (r < 0)
		return r;
	r = regs_get_sigmask(thread->host_tid, &mask, err);
	if (r < 0)
		return r;
	core->has_blk_sigset = true;
	core->blk_sigset = mask;
	r = set_queue(dump, thread->host_tid, false, &core->signals_p, err);
	if (r < 0)
		return r;

	core->has_cg_set = true;
	r = cgroup_collect_thread(dump, task, thread->host_tid, &core->cg_set, err);
	if (r < 0)
		return r;
	return 0;
}

/* unshare(2) can take a thread's descriptors, folder or namespaces away from its process. */
static int check_shares(const struct dump_task *task, const struct dump_thread *thread,
			struct error *err)
{
	static const struct {
		int type;
		const char *what;
	} shares[] = { { KCMP_FILES, "descriptors" }, { KCMP_FS, "a working folder" } };

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		long r = syscall(SYS_kcmp, task->host_pid, thread->host_tid, shares[i].type, 0, 0);

		if (r < 0)
			return err_sys(err, "compare threads %d and %d", task->host_pid,
				       thread->host_tid);
		if (r)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its thread %d has %s of its own: this can't be "
				       "saved",
				       task->host_pid, thread->host_tid, shares[i].what);
	}
	return 0;
}

static int collect_threads(struct dump *dump, struct dump_task *task, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < task->n_threads && r == 0; i++) {
		r = i ? check_shares(task, &task->threads[i], err) : 0;
		if (r == 0)
			r = collect_thread(dump, task, &task->threads[i], err);
	}
	return r;
}

#define CROWD 32	  /* so many threads are worth a crew */
#define STATUSES_A_JOB 16 /* so many files of /proc */

/* While the tracer asks ptrace, which is bound to its thread, others read /proc. */
struct look {
	struct dump *dump;
	struct dump_task *task;
	struct proc_status *statuses; /* of all threads behind the first */
};

static int read_statuses(const struct look *look, size_t first, struct error *err)
{
	const struct dump_task *task = look->task;
	int r = 0;

	for (size_t i = first; i < first + STATUSES_A_JOB && i < task->n_threads && r == 0; i++)
		r = proc_status_of_thread(task->host_pid, task->threads[i].host_tid,
					  &look->statuses[i], err);
	return r;
}

/* Job 0 is always the caller's own; the second is the longest. */
static int look_job(void *arg, unsigned int worker UNUSED, size_t job, struct error *err)
{
	struct look *look = arg;

	if (job == 0)
		return collect_threads(look->dump, look->task, err);
	if (job == 1)
		return proc_smaps_of(look->task->host_pid, &look->task->maps, err);
	return read_statuses(look, 1 + (job - 2) * STATUSES_A_JOB, err);
}

static int look_at_threads(struct look *look, struct error *err)
{
	size_t n = look->task->n_threads;
	size_t jobs = 2 + (n - 1 + STATUSES_A_JOB - 1) / STATUSES_A_JOB;
	int r;

	if (n > CROWD && !look->dump->crew)
		look->dump->crew = crew_new();
	if (n > CROWD && look->dump->crew)
		return crew_run(look->dump->crew, jobs, look_job, look, err);
	r = collect_threads(look->dump, look->task, err);
	for (size_t i = 1; i < n && r == 0; i += STATUSES_A_JOB)
		r = read_statuses(look, i, err);
	return r;
}

static int collect_all(struct dump *dump, struct dump_task *task, struct error *err)
{
	struct look look = { .dump = dump, .task = task };
	int r;

	look.statuses = calloc(task->n_threads, sizeof(*look.statuses));
	if (!look.statuses)
		return err_oom(err);
	r = look_at_threads(&look, err);
	for (size_t i = 0; i < task->n_threads && r == 0; i++)
		r = set_attributes(dump, &task->threads[i], i ? &look.statuses[i] : &task->status,
				   err);
	for (size_t i = 0; i < task->n_threads; i++)
		proc_status_done(&look.statuses[i]);
	free(look.statuses);
	return r;
}

int dump_core_collect(struct dump *dump, struct dump_task *task, struct error *err)
{
	TaskCoreEntry *tc;
	int64_t number;
	int r;

	r = cgroup_collect(dump, task, &task->cg_set, err);
	if (r < 0)
		return r;
	r = collect_all(dump, task, err);
	if (r < 0)
		return r;

	tc = arena_new(&dump->arena, TaskCoreEntry);
	if (!tc)
		return err_oom(err);
	task_core_entry__init(tc);
	task->threads[0].core->tc = tc;
	tc->task_state = task->state;
	tc->flags = task->stat.flags;
	tc->blk_sigset = task->threads[0].core->thread_core->blk_sigset;
	tc->comm = task->threads[0].core->thread_core->comm;
	if (task->state == DUMP_TASK_STOPPED) {
		tc->has_stop_signo = true;
		tc->stop_signo = (uint32_t)task->stop_signal;
	}
	r = read_number(task, "personality", 16, &number, err);
	if (r < 0)
		return r;
	tc->personality = (uint32_t)number;
	r = set_rlimits(dump, task, tc, err);
	if (r < 0)
		return r;
	r = set_queue(dump, task->host_pid, true, &tc->signals_s, err);
	if (r < 0)
		return r;
	r = read_number(task, "oom_score_adj", 10, &number, err);
	if (r < 0)
		return r;
	tc->has_oom_score_adj = true;
	tc->oom_score_adj = (int32_t)number;
	r = read_number(task, "loginuid", 10, &number, NULL);
	if (r == 0) {
		tc->has_loginuid = true;
		tc->loginuid = (uint32_t)number;
	} else if (r != -ENOENT) {
		return err_set(err, r, "task %d: read 'loginuid': %s", task->host_pid,
			       strerror(-r));
	}
	return 0;
}

static int write_zombie(struct dump *dump, const struct dump_task *task, struct error *err)
{
	CoreEntry core = CORE_ENTRY__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	ThreadCoreEntry thread = THREAD_CORE_ENTRY__INIT;

	core.mtype = CORE_ENTRY__MARCH__X86_64;
	core.tc = &tc;
	core.thread_core = &thread;
	tc.task_state = DUMP_TASK_DEAD;
	tc.exit_code = (uint32_t)task->stat.exit_code;
	tc.comm = (char *)task->stat.comm;
	return dump_image_one(dump, IMG_KIND_CORE, (uint64_t)task->ns_pid, &core.base, err);
}

int dump_core_write(struct dump *dump, struct dump_task *task, struct error *err)
{
	cleanup_free struct dump_image_record *records = NULL;

	if (task->state == DUMP_TASK_DEAD)
		return write_zombie(dump, task, err);
	records = calloc(task->n_threads, sizeof(*records));
	if (!records)
		return err_oom(err);
	for (size_t i = 0; i < task->n_threads; i++)
		records[i] = (struct dump_image_record){ (uint64_t)task->threads[i].ns_tid,
							 &task->threads[i].core->base };
	return dump_image_many(dump, IMG_KIND_CORE, records, task->n_threads, err);
}
