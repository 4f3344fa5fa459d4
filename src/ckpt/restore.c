/*
 * restore: the conductor. A plain list of steps; each is told in its own file.
 */
#include "cryo/restore.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "ckpt/check.h"
#include "ckpt/file-restore.h"
#include "ckpt/mem-restore.h"
#include "ckpt/memfd.h"
#include "ckpt/mount-restore.h"
#include "ckpt/ns-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/shmem-restore.h"
#include "ckpt/sysv.h"
#include "ckpt/tty-restore.h"
#include "ckpt/userns.h"
#include "ckpt/watches-restore.h"
#include "img/image.h"
#include "img/pb/stats.pb-c.h"

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#define RSEQ_MIN_SIZE 32

static void add_words(struct restore *r)
{
	struct restore_words *w = &r->words;

	w->go = area_add_word(&r->area);
	w->grouped = area_add_word(&r->area);
	w->joined = area_add_word(&r->area);
	w->cleared = area_add_word(&r->area);
	w->armed = area_add_word(&r->area);
	w->seized = area_add_word(&r->area);
	w->mapped = area_add_word(&r->area);
	w->born = area_add_word(&r->area);
	w->dropped = area_add_word(&r->area);
	w->built = area_add_word(&r->area);
	w->released = area_add_word(&r->area);
	w->left = area_add_word(&r->area);
	w->never = area_add_word(&r->area);
}

static int add_tapes(struct restore *r, struct error *err)
{
	for (size_t i = 0; i < r->n_tasks; i++) {
		struct rtask *t = r->tasks[i];

		t->birth = area_add_tape(&r->area, t->pid, "build");
		t->build = t->birth;
		if (rtask_lives(t))
			t->become = area_add_tape(&r->area, t->pid, "become");
		t->guided = rtask_lives(t) && (t->n_threads > 1 || seccomp_wanted(t) ||
					       t->kind == RTASK_STOPPED || r->opts->stopped);
		if (!t->build || (rtask_lives(t) && !t->become))
			return err_oom(err);
		r->n_guided += t->guided;
		if (rtask_lives(t))
			t->threads[0].tape = t->become;
	}
	return 0;
}

/*
 * M's C library has registered restartable sequences in memory that will be
 * unmapped; R has inherited that, and the kernel would write there.
 */
static void tape_forget_rseq(struct tape *tape)
{
	uint64_t size = getauxval(AT_RSEQ_FEATURE_SIZE);

	if (!__rseq_size)
		return; /* it has not */
	size = size <= RSEQ_MIN_SIZE ? RSEQ_MIN_SIZE : (size + 31) & ~UINT64_C(31);
	tape_call(tape, SYS_rseq,
		  TAPE_ARGS(tape_imm((uint64_t)(uintptr_t)__builtin_thread_pointer() +
				     (uint64_t)__rseq_offset),
			    tape_imm(size), tape_imm(RSEQ_FLAG_UNREGISTER), tape_imm(RSEQ_SIG)),
		  "leaving the caller's restartable sequences");
}

/* What R does before there is anybody else. */
static int tape_prologue(struct restore *r, struct error *err)
{
	struct tape *tape = r->root->build;
	int ret = ns_proc_fd(r, err);

	if (ret < 0)
		return ret;
	tree_tape_pdeathsig(r, r->root);
	tape_forget_rseq(tape);
	tape_barrier(tape, r->words.go, 1, "waiting to be placed");
	userns_tape_become(r);
	ret = ns_tape(r, tape, err);
	if (ret >= 0)
		ret = mounts_tape(r, err);
	if (ret >= 0)
		ret = ns_tape_nested(r, err);
	if (ret >= 0)
		ret = files_tape(r, err);
	return ret < 0 ? ret : ttys_tape_finish(r, tape, err);
}

static void tape_host_pid(struct restore *r, struct rtask *t)
{
	if (!t->guided || !r->new_pid_ns || t == r->root)
		return;
	t->host_pid_at = area_alloc(&r->area, 32, 8);
	tape_call(t->build, SYS_readlinkat,
		  TAPE_ARGS(tape_imm((uint64_t)r->proc_fd),
			    tape_at(area_add_string(&r->area, "self")), tape_at(t->host_pid_at),
			    tape_imm(31)),
		  "its process id outside");
}

/* All of a task after its children were planned: what it is when it is done. */
static int tape_become_task(struct restore *r, struct rtask *t, struct error *err)
{
	uint64_t frame = 0;
	int ret = 0;

	if (!t->is_donor) {
		ret = mem_tape(r, t, err);
		mem_tape_finish(t);
	}
	if (ret >= 0)
		ret = mapped_tape(r, t, err);
	if (ret >= 0)
		ret = threads_tape(r, t, err);
	if (ret >= 0)
		ret = task_tape(r, t, err);
	if (ret >= 0)
		ret = signal_tape(r, t, err);
	if (ret >= 0)
		ret = timer_tape(r, t, err);
	if (ret >= 0)
		ret = regs_tape_frame(r, t, &frame, err);
	if (ret < 0)
		return ret;
	ret = fd_tape_late(r, t, err);
	if (ret < 0)
		return ret;
	ret = leases_tape(r, t, err);
	if (ret < 0)
		return ret;
	ret = watches_hold(r, t, err);
	if (ret < 0)
		return ret;
	fd_tape_drop(t);
	ret = locks_tape(r, t, err);
	if (ret >= 0)
		ret = watches_tape(r, t, err);
	if (ret < 0)
		return ret;
	if (t->guided) {
		tape_post_last(t->become, r->words.armed, r->n_guided, "ready to be seized");
		tape_barrier(t->become, r->words.seized, 1, "waiting to be seized");
	}
	ret = seccomp_tape(r, t, &t->threads[0], err);
	if (ret >= 0)
		ret = cred_tape(r, t, &t->threads[0], err);
	if (ret < 0)
		return ret;
	threads_tape_wait(t); /* their credentials would change what follows */
	tape_call(t->become, SYS_prctl,
		  TAPE_ARGS(tape_imm(PR_SET_DUMPABLE),
			    tape_imm(t->mm->has_dumpable && t->mm->dumpable == 1)),
		  "may be dumped or not");
	/* Other credentials took it away. */
	tape_call(t->become, SYS_prctl, TAPE_ARGS(tape_imm(PR_SET_PDEATHSIG), tape_imm(SIGKILL)),
		  "not to outlive its parent while it waits");
	ret = signal_tape_pending(r, t, &t->threads[0], err);
	if (ret < 0)
		return ret;
	tape_post_last(t->become, r->words.built, r->n_living, "complete");
	tape_barrier(t->become, r->words.released, 1, "waiting to be released");
	tape_call(t->become, SYS_prctl,
		  TAPE_ARGS(tape_imm(PR_SET_PDEATHSIG),
			    tape_imm(t->core->thread_core->has_pdeath_sig
					     ? t->core->thread_core->pdeath_sig
					     : 0)),
		  "signal at the death of its parent");
	tape_post_last(t->become, r->words.left, r->n_living, "on its own");
	timer_tape_arm(r, t);
	regs_tape_leave(r, t, frame);
	return 0;
}

/* The tape of a task's birth: children first, while it can still fork in peace. */
static int tape_build_task(struct restore *r, struct rtask *t, struct error *err)
{
	int ret = tree_tape_children(r, t, err);

	if (ret < 0)
		return ret;
	if (r->pidfds)
		tape_post(t->build, r->words.born, "exists");
	if (rtask_lives(t))
		task_tape_early(r, t);
	tape_host_pid(r, t);
	tree_tape_groups(r, t);
	if (!rtask_lives(t))
		return 0;
	ret = fd_tape_place(r, t, err);
	if (ret < 0)
		return ret;
	tape_become(t->build, tape_imm(r->base), t->become, "becoming itself");
	return 0;
}

/* Who has which memory, and shares it with whom. */
static int plan_memory(struct restore *r, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < r->n_tasks; i++)
		if (rtask_lives(r->tasks[i]))
			ret = mem_plan(r, r->tasks[i], err);
	if (ret >= 0)
		ret = cow_plan(r, err);
	for (size_t i = 0; ret >= 0 && i < r->n_tasks; i++) {
		struct rtask *t = r->tasks[i];

		t->memory = t->is_donor ? area_add_tape(&r->area, t->pid, "memory") : t->become;
		if (t->is_donor && !t->memory)
			ret = err_oom(err);
	}
	return ret;
}

/* R's tape comes last: planning the others makes it open further files. */
static int plan_tapes(struct restore *r, struct error *err)
{
	int ret = tape_prologue(r, err);

	if (ret >= 0)
		ret = plan_memory(r, err);

	for (size_t i = 0; ret >= 0 && i < r->n_tasks; i++)
		if (rtask_lives(r->tasks[i]))
			ret = tape_become_task(r, r->tasks[i], err);
	for (size_t i = 0; ret >= 0 && i < r->n_tasks; i++)
		if (r->tasks[i] != r->root)
			ret = tape_build_task(r, r->tasks[i], err);
	if (ret >= 0)
		ret = fd_stage_folders(r, r->root, err);
	if (ret < 0)
		return ret;
	memfds_tape_seal(r, r->root->build);
	return tape_build_task(r, r->root, err);
}

static int explain(struct restore *r, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int ret;

	if (r->opts->explain_fd < 0)
		return 0;
	area_explain(&r->area, &text);
	if (!buf_ok(&text))
		return err_oom(err);
	ret = fd_write_all(r->opts->explain_fd, buf_str(&text), text.len);
	return ret < 0 ? err_set(err, ret, "print the tapes: %s", strerror(-ret)) : 0;
}

static int write_stats(const struct restore *r, const struct cryo_restore_stats *s,
		       struct error *err)
{
	int dir = r->opts->work_dir >= 0 ? r->opts->work_dir : r->opts->images_dir;
	RestoreStatsEntry restore = RESTORE_STATS_ENTRY__INIT;
	StatsEntry entry = STATS_ENTRY__INIT;

	restore.pages_compared = s->pages_compared;
	restore.pages_skipped_cow = s->pages_skipped_cow;
	restore.forking_time = (uint32_t)s->forking_us;
	restore.restore_time = (uint32_t)s->restore_us;
	restore.has_pages_restored = true;
	restore.pages_restored = s->pages_restored;
	entry.restore = &restore;
	return image_write_one(dir, IMG_KIND_STATS_RESTORE, 0, &entry.base, err);
}

static int restore_run(struct restore *r, struct error *err)
{
	int ret = check_privileges(err);

	if (ret >= 0)
		ret = restore_load(r, err);
	if (ret >= 0)
		ret = cgroup_restore_load(r, err);
	if (ret >= 0)
		ret = ns_plan(r, err);
	if (ret >= 0)
		ret = tree_plan(r, err);
	xstate_look(&r->xstate);
	if (ret >= 0)
		ret = vdso_find(r, err);
	if (ret >= 0)
		ret = sysv_load_segments(r, err);
	if (ret >= 0)
		ret = mem_place_area(r, err);
	if (ret >= 0)
		ret = area_init(&r->area, err);
	if (ret < 0)
		return ret;
	add_words(r);
	ret = add_tapes(r, err);
	if (ret >= 0)
		ret = plan_tapes(r, err);
	if (ret >= 0)
		ret = explain(r, err);
	if (ret < 0)
		return ret;
	if (r->tamper)
		r->tamper(r->tamper_arg, &r->area);
	return launch_tree(r, err);
}

static void restore_done(struct restore *r)
{
	cgroup_restore_done(r);
	files_done(r);
	watches_done(r);
	pipes_restore_done(r);
	shmem_restore_done(r);
	sysv_restore_done(r);
	area_done(&r->area);
	strv_done(&r->made_groups);
	free(r->own_children);
	restore_forget_tasks(r);
	arena_done(&r->arena);
}

int restore_tampered(const struct cryo_restore_opts *opts,
		     void (*tamper)(void *arg, struct area *area), void *arg, pid_t *ret_host_pid,
		     struct cryo_restore_stats *ret_stats, struct error *err)
{
	struct restore r = {
		.opts = opts,
		.proc_fd = -1,
		.watch_root = -1,
		.root_pidfd = -EBADF,
		.tamper = tamper,
		.tamper_arg = arg,
	};
	struct cryo_restore_stats stats = { 0 };
	uint64_t begin = clock_mono_ns();
	int ret = restore_run(&r, err);

	if (ret >= 0) {
		struct error own = ERROR_INIT;

		if (err)
			*err = own; /* images that may be absent left a word there */
		stats.forking_us = r.forking_ns / NS_PER_US;
		stats.restore_us = (clock_mono_ns() - begin) / NS_PER_US;
		stats.pages_restored = r.pages;
		stats.pages_compared = r.pages_compared;
		stats.pages_skipped_cow = r.pages_kept;
		*ret_host_pid = r.host_pid;
		if (ret_stats)
			*ret_stats = stats;
		if (write_stats(&r, &stats, &own) < 0)
			log_warn("no statistics: %s", own.text); /* the tree runs */
	}
	restore_done(&r);
	return ret < 0 ? ret : 0;
}

int cryo_restore(const struct cryo_restore_opts *opts, pid_t *ret_host_pid,
		 struct cryo_restore_stats *ret_stats, struct error *err)
{
	return restore_tampered(opts, NULL, NULL, ret_host_pid, ret_stats, err);
}
