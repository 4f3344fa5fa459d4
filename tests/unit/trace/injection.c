#include "injection.h"

#include "../cmocka-all.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "trace/area.h"
#include "trace/freeze.h"
#include "trace/regs.h"
#include "trace/remote.h"
#include "trace/slot.h"
#include "trace/tape.h"

#include "victim.h"

char *maps_of(pid_t pid)
{
	char *text = NULL;
	char path[64];
	size_t len;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	assert_int_equal(file_read_at(-1, path, 1 << 20, &text, &len, NULL), 0);
	return text;
}

/* What a dump asks: all signal handlers, and more. */
struct questions {
	struct area area;
	struct tape *tape;
	uint64_t actions;
	uint32_t first_action;
	uint32_t pid;
};

static int ask(struct questions *q)
{
	if (area_init(&q->area, NULL) < 0)
		return -ENOMEM;
	q->tape = area_add_tape(&q->area, 1, "ask");
	q->actions = area_alloc(&q->area, 64 * 32, 8);
	q->pid = tape_call(q->tape, SYS_getpid, TAPE_ARGS(), "pid");
	q->first_action = (uint32_t)q->tape->n;
	for (unsigned int i = 1; i <= 64; i++) {
		uint32_t e = tape_call(q->tape, SYS_rt_sigaction,
				       TAPE_ARGS(tape_imm(i), tape_imm(0),
						 tape_at(q->actions + (i - 1) * 32), tape_imm(8)),
				       "handler of signal %u", i);

		tape_expect(q->tape, e, PIE_RULE_EQUAL, 0);
	}
	return 0;
}

void freeze_it(struct freeze *f, pid_t pid)
{
	struct error err = ERROR_INIT;

	if (freeze_begin(f, pid, 0, &err) < 0)
		fail_msg("%s", err.text);
}

/* One whole injection; returns the number of stops. */
unsigned int inject(struct victim *v)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	cleanup_remote struct remote remote = REMOTE_INIT;
	struct user_regs_struct before;
	struct user_regs_struct after;
	struct error err = ERROR_INIT;
	struct questions q;
	uint64_t mask_before;
	uint64_t mask_after;
	unsigned int stops;

	assert_int_equal(ask(&q), 0);
	freeze_it(&f, v->pid);
	assert_int_equal(regs_get(v->pid, &before, &err), 0);
	assert_int_equal(regs_get_sigmask(v->pid, &mask_before, &err), 0);
	if (remote_begin(&remote, v->pid, NULL, &q.area, q.tape, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(tape_result(q.tape, remote.live, q.pid),
			 v->kind->clone_flags & CLONE_NEWPID ? 1 : v->pid);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(tape_result(q.tape, remote.live, q.first_action + i), 0);
	stops = remote.n_stops;
	if (remote_end(&remote, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(regs_get(v->pid, &after, &err), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(regs_get_sigmask(v->pid, &mask_after, &err), 0);
	assert_int_equal(mask_before, mask_after);
	assert_int_equal(freeze_thaw(&f, &err), 0);
	area_done(&q.area);
	return stops;
}

void injecting_child(pid_t pid, unsigned int rounds)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0; i < rounds; i++) {
		struct remote remote = REMOTE_INIT;
		struct freeze f = FREEZE_INIT;
		struct questions q;

		if (ask(&q) < 0 || freeze_begin(&f, pid, 0, NULL) < 0 ||
		    remote_begin(&remote, pid, NULL, &q.area, q.tape, NULL) < 0 ||
		    remote_end(&remote, NULL) < 0 || freeze_thaw(&f, NULL) < 0)
			_exit(1);
		area_done(&q.area);
	}
}

void spin_us(uint64_t us)
{
	uint64_t until = clock_mono_ns() + us * NS_PER_US;

	while (clock_mono_ns() < until)
		;
}

void wait_until_maps_are(pid_t pid, const char *want)
{
	uint64_t until = clock_mono_ns() + 10 * NS_PER_SEC;

	for (;;) {
		cleanup_free char *now = maps_of(pid);

		if (strcmp(now, want) == 0)
			return;
		if (clock_mono_ns() > until)
			fail_msg("left behind:\n%s", now);
		(void)sched_yield();
	}
}
