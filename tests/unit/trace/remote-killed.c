/*
 * The promise of the whole design: a tracer that is killed at any moment has
 * never been there.
 */
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

#include "injection.h"
#include "victim.h"

/* Stubs that were planted since `before` and are left there: kills that hit in the middle. */
static unsigned int n_left(pid_t pid, struct slot_room *before)
{
	struct slot_room now;
	unsigned int n = 0;

	assert_int_equal(slot_look(pid, &now, NULL), 0);
	for (size_t i = 0; i < now.n; i++)
		n += now.heads[i].sequence > before->heads[i].sequence;
	*before = now;
	return n;
}

static void a_tracer_may_be_killed_at_any_moment(void **state UNUSED)
{
	unsigned int rounds =
		getenv("KILL_ROUNDS") ? (unsigned int)atoi(getenv("KILL_ROUNDS")) : 60;

	unsigned int hits = 0;

	srandom((unsigned int)time(NULL));
	for (unsigned int i = 0; i < n_victim_kinds; i++) {
		struct slot_room room = { .n = 0 };
		struct victim v;
		char *before;

		victim_start(&v, &victim_kinds[i]);
		victim_expect_progress(&v);
		before = maps_of(v.pid);
		for (unsigned int round = 0; round < rounds; round++) {
			int status = 0;
			pid_t tracer = fork();

			assert_true(tracer >= 0);
			if (tracer == 0)
				injecting_child(v.pid, UINT_MAX);
			spin_us((uint64_t)random() % 2500);
			assert_int_equal(kill(tracer, SIGKILL), 0);
			assert_int_equal(waitpid(tracer, &status, 0), tracer);
			/* It was still at it, nothing had failed. */
			assert_true(WIFSIGNALED(status));
			victim_expect_progress(&v);
			wait_until_maps_are(v.pid, before);
			hits += n_left(v.pid, &room);
		}
		/* And the next one can do its work. */
		(void)inject(&v);
		victim_expect_progress(&v);
		wait_until_maps_are(v.pid, before);
		free(before);
		victim_end(&v);
	}
	print_message("%u of %u kills left a stub behind\n", hits, n_victim_kinds * rounds);
	assert_true(hits > 0);
}

/* Killed with the tape played and not taken back: also the next dump finds all in order. */
static void a_dump_after_a_killed_dump_finds_the_task_at_home(void **state UNUSED)
{
	struct victim v;

	victim_start(&v, &victim_kinds[0]);
	victim_expect_progress(&v);
	for (unsigned int round = 0; round < 100; round++) {
		pid_t tracer = fork();

		assert_true(tracer >= 0);
		if (tracer == 0)
			injecting_child(v.pid, UINT_MAX);
		spin_us((uint64_t)random() % 1000);
		assert_int_equal(kill(tracer, SIGKILL), 0);
		assert_int_equal(waitpid(tracer, NULL, 0), tracer);
		(void)inject(&v);
	}
	victim_expect_progress(&v);
	victim_end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tracer_may_be_killed_at_any_moment),
		cmocka_unit_test(a_dump_after_a_killed_dump_finds_the_task_at_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
