/*
 * task-restore: the attributes of a task that are no object of their own.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"

#define N_RLIMITS 16

static long own_number(const char *name)
{
	cleanup_free char *text = NULL;
	size_t len = 0;

	return file_read_at(AT_FDCWD, name, 64, &text, &len, NULL) < 0 ? 0 : strtol(text, NULL, 10);
}

/* A number in the task's own folder of M's /proc. */
static void tape_proc_number(struct restore *r, struct rtask *t, const char *file, long value,
			     int tolerated)
{
	char text[32];
	uint32_t fd, entry;

	snprintf(text, sizeof(text), "%ld", value);
	fd = tape_call(t->build, SYS_openat,
		       TAPE_ARGS(tape_imm((uint64_t)r->proc_fd),
				 tape_at(area_add_string(&r->area, file)), tape_imm(O_WRONLY)),
		       "setting %s", file);
	entry = tape_call(t->build, SYS_write,
			  TAPE_ARGS(tape_slot(fd), tape_at(area_add_string(&r->area, text)),
				    tape_imm(strlen(text))),
			  "setting %s to %ld", file, value);
	tape_expect(t->build, entry, PIE_RULE_OK_OR, tolerated);
	tape_call(t->build, SYS_close, TAPE_ARGS(tape_slot(fd)), "setting %s", file);
}

static void tape_oom_score(struct restore *r, struct rtask *t)
{
	const TaskCoreEntry *tc = t->core->tc;
	long own = own_number("/proc/self/oom_score_adj");

	if (!tc->has_oom_score_adj || tc->oom_score_adj == own)
		return;
	/* Lowering it takes CAP_SYS_RESOURCE; without, it stays as ours. */
	if (tc->oom_score_adj < own && !cred_own_cap(CAP_SYS_RESOURCE))
		log_warn("task %u (%s): oom_score_adj stays %ld, as lowering it to %d takes "
			 "CAP_SYS_RESOURCE",
			 t->pid, rtask_comm(t), own, tc->oom_score_adj);
	tape_proc_number(r, t, "self/oom_score_adj", tc->oom_score_adj, EACCES);
}

/* Only kernels with auditing have one. An audited session may forbid to change it (EPERM). */
static void tape_login(struct restore *r, struct rtask *t)
{
	const TaskCoreEntry *tc = t->core->tc;

	if (!tc->has_loginuid || access("/proc/self/loginuid", W_OK) < 0 ||
	    tc->loginuid == (uint32_t)own_number("/proc/self/loginuid"))
		return;
	tape_proc_number(r, t, "self/loginuid", (long)tc->loginuid, EPERM);
}

void task_tape_early(struct restore *r, struct rtask *t)
{
	tape_oom_score(r, t);
	tape_login(r, t);
}

static int tape_rlimits(struct restore *r, struct rtask *t, struct error *err)
{
	const TaskRlimitsEntry *limits = t->core->tc->rlimits;

	if (!limits)
		return 0;
	if (limits->n_rlimits > N_RLIMITS)
		return err_set(err, -EBADMSG, "core-%u.img: %zu resource limits", t->pid,
			       limits->n_rlimits);
	for (unsigned int i = 0; i < limits->n_rlimits; i++) {
		const RlimitEntry *want = limits->rlimits[i];
		struct rlimit own;
		struct rlimit set = { .rlim_cur = want->cur, .rlim_max = want->max };

		if (getrlimit((__rlimit_resource_t)i, &own) < 0)
			return err_sys(err, "read own resource limit %u", i);
		if (set.rlim_max > own.rlim_max && !cred_own_cap(CAP_SYS_RESOURCE)) {
			log_warn("task %u (%s): resource limit %u stays %" PRIu64
				 ", as raising it to %" PRIu64 " takes CAP_SYS_RESOURCE",
				 t->pid, rtask_comm(t), i, (uint64_t)own.rlim_max,
				 (uint64_t)set.rlim_max);
			set.rlim_max = own.rlim_max;
		}
		if (set.rlim_cur > set.rlim_max)
			set.rlim_cur = set.rlim_max;
		if (set.rlim_cur == own.rlim_cur && set.rlim_max == own.rlim_max &&
		    i != RLIMIT_NOFILE)
			continue;
		tape_call(t->become, SYS_prlimit64,
			  TAPE_ARGS(tape_imm(0), tape_imm(i),
				    tape_at(area_add(&r->area, &set, sizeof(set)))),
			  "resource limit %u", i);
	}
	return 0;
}

int task_tape(struct restore *r, struct rtask *t, struct error *err)
{
	const TaskCoreEntry *tc = t->core->tc;

	thread_tape_own(r, &t->threads[0]);
	if (tc->has_child_subreaper && tc->child_subreaper)
		tape_call(t->become, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_CHILD_SUBREAPER), tape_imm(1)),
			  "being a subreaper");
	for (unsigned int bit = 0; tc->has_membarrier_registration_mask && bit < 32; bit++)
		if (tc->membarrier_registration_mask >> bit & 1)
			tape_call(t->become, SYS_membarrier,
				  TAPE_ARGS(tape_imm(UINT64_C(1) << bit)),
				  "registering for membarrier %#x", 1u << bit);
	return tape_rlimits(r, t, err);
}
