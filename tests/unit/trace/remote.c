/*
 * Injection into victims that notice everything.
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

static void victims_notice_nothing(void **state UNUSED)
{
	for (unsigned int i = 0; i < n_victim_kinds; i++) {
		unsigned int stops = 0;
		struct victim v;
		char *before;
		char *after;

		victim_start(&v, &victim_kinds[i]);
		victim_expect_progress(&v);
		before = maps_of(v.pid);
		for (unsigned int round = 0; round < 30; round++) {
			stops = inject(&v);
			if (round % 3 == 0)
				victim_expect_progress(&v);
		}
		assert_int_equal(v.shared->interrupted, 0);
		after = maps_of(v.pid);
		assert_string_equal(before, after);
		free(before);
		free(after);
		victim_end(&v);
		print_message("%s: %u stops\n", victim_kinds[i].name, stops);
	}
}

/* Others send the very signal that we are called with, all the time. */
static void the_same_signal_from_others_confuses_nobody(void **state UNUSED)
{
	struct victim v;
	pid_t sender;

	victim_start(&v, &victim_kinds[1]);
	victim_expect_progress(&v);
	sender = fork();
	assert_true(sender >= 0);
	if (sender == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (kill(v.pid, SIGURG) == 0)
			;
		_exit(1);
	}
	for (unsigned int round = 0; round < 300; round++)
		(void)inject(&v);
	assert_int_equal(kill(sender, SIGKILL), 0);
	assert_int_equal(waitpid(sender, NULL, 0), sender);
	victim_expect_progress(&v);
	victim_end(&v);
}

/* Kernels may keep /proc/PID/mem from writing into code. */
static void code_is_reached_without_proc_mem(void **state UNUSED)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(insns), insns };
	struct slot_room room;
	struct victim v;
	int status = 0;
	pid_t tracer;

	victim_start(&v, &victim_kinds[0]);
	victim_expect_progress(&v);
	tracer = fork();
	assert_true(tracer >= 0);
	if (tracer == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
			_exit(2);
		injecting_child(v.pid, 30);
		_exit(0);
	}
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_int_equal(status, 0);
	assert_int_equal(slot_look(v.pid, &room, NULL), 0);
	assert_false(room.dirty);
	victim_expect_progress(&v);
	victim_end(&v);
}

static void *nap(void *arg)
{
	struct victim_shared *shared = arg;

	for (;; shared->rounds++) {
		if (nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL) < 0)
			shared->bad++;
	}
	return NULL;
}

static void run_threads(struct victim_shared *shared)
{
	for (unsigned int i = 0; i < 4; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, nap, shared) != 0)
			shared->bad++;
	}
	(void)nap(shared);
}

/* Each thread in turn, all others standing. */
static void every_thread_can_be_asked(void **state UNUSED)
{
	static const struct victim_kind kind = { "threads", run_threads, 0 };
	struct error err = ERROR_INIT;
	struct victim v;

	victim_start(&v, &kind);
	victim_expect_progress(&v);
	for (unsigned int round = 0; round < 10; round++) {
		cleanup_freeze struct freeze f = FREEZE_INIT;

		freeze_it(&f, v.pid);
		for (size_t i = 0; i < f.tasks[0].n_threads; i++) {
			cleanup_remote struct remote remote = REMOTE_INIT;
			cleanup_area struct area area;
			pid_t tid = f.tasks[0].threads[i].host_tid;
			struct tape *t;
			uint32_t e;

			assert_int_equal(area_init(&area, NULL), 0);
			t = area_add_tape(&area, 1, "who");
			e = tape_call(t, SYS_gettid, TAPE_ARGS(), "tid");
			if (remote_begin(&remote, tid, NULL, &area, t, &err) < 0)
				fail_msg("%s", err.text);
			assert_int_equal(tape_result(t, remote.live, e), tid);
			assert_int_equal(remote_end(&remote, NULL), 0);
		}
		assert_int_equal(freeze_thaw(&f, NULL), 0);
		victim_expect_progress(&v);
	}
	victim_end(&v);
}

/* The cheap way, for what further threads have to be asked. */
static int ask_others(struct freeze *f, struct remote *remote, uint64_t stack_at)
{
	for (size_t i = 1; i < f->tasks[0].n_threads; i++) {
		pid_t tid = f->tasks[0].threads[i].host_tid;
		struct remote_question q = {
			.host_tid = tid,
			.calls = {
				{ .nr = SYS_gettid },
				{ .nr = SYS_sigaltstack, .args = { tape_imm(0), tape_at(stack_at) } },
				{ .nr = SYS_prctl, .args = { tape_imm(PR_GET_SECUREBITS) } },
				{ .nr = SYS_close, .args = { tape_imm(54321) } },
			},
			.n_calls = 4,
		};
		stack_t stack = { .ss_sp = NULL };

		if (remote_ask_threads(remote, &q, 1, NULL) < 0 ||
		    remote_read(remote, stack_at, &stack, sizeof(stack), NULL) < 0 ||
		    q.calls[0].result != tid || q.calls[1].result != 0 || q.calls[2].result != 0 ||
		    q.calls[3].result != -EBADF || stack.ss_flags != SS_DISABLE)
			return -EINVAL;
	}
	return 0;
}

static int ask_all_threads(pid_t pid, struct error *err)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area;
	uint64_t stack_at;
	struct tape *t;
	int r;

	if (area_init(&area, err) < 0)
		return -ENOMEM;
	t = area_add_tape(&area, 1, "who");
	(void)tape_call(t, SYS_gettid, TAPE_ARGS(), "tid");
	stack_at = area_alloc(&area, sizeof(stack_t), 8);
	r = freeze_begin(&f, pid, 0, err);
	if (r == 0)
		r = remote_begin(&remote, pid, NULL, &area, t, err);
	if (r == 0)
		r = ask_others(&f, &remote, stack_at);
	if (r == 0)
		r = remote_end(&remote, err);
	if (r == 0)
		r = freeze_thaw(&f, err);
	return r;
}

static void further_threads_are_asked_in_one_stop_each(void **state UNUSED)
{
	static const struct victim_kind kind = { "threads", run_threads, 0 };
	struct error err = ERROR_INIT;
	struct slot_room room;
	struct victim v;
	int status = 0;
	char *before;

	victim_start(&v, &kind);
	victim_expect_progress(&v);
	while (proc_count_threads(v.pid) != 5)
		(void)sched_yield();
	before = maps_of(v.pid);
	for (unsigned int round = 0; round < 50; round++) {
		if (ask_all_threads(v.pid, &err) < 0)
			fail_msg("%s", err.text);
		victim_expect_progress(&v);
	}
	wait_until_maps_are(v.pid, before);
	assert_int_equal(slot_look(v.pid, &room, NULL), 0);
	assert_false(room.dirty);
	for (unsigned int round = 0; round < 200; round++) {
		pid_t tracer = fork();

		assert_true(tracer >= 0);
		if (tracer == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (ask_all_threads(v.pid, NULL) == 0)
				;
			_exit(1);
		}
		spin_us((uint64_t)random() % 2500);
		assert_int_equal(kill(tracer, SIGKILL), 0);
		assert_int_equal(waitpid(tracer, &status, 0), tracer);
		assert_true(WIFSIGNALED(status));
		victim_expect_progress(&v);
		wait_until_maps_are(v.pid, before);
	}
	free(before);
	victim_end(&v);
}

/* May do no more than the loop of run_filtered needs. */
static void run_filtered(struct victim_shared *shared)
{
	static int filtered;
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_nanosleep, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(insns), insns };

	if (!filtered) {
		filtered = 1;
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
			shared->bad++;
	}
	if (syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 1000000 }, NULL) < 0)
		shared->bad++;
}

static void a_filtered_task_can_be_asked(void **state UNUSED)
{
	static const struct victim_kind kind = { "filtered", run_filtered, 0 };
	struct regs_filter filter = { NULL };
	struct freeze f = FREEZE_INIT;
	struct victim v;

	victim_start(&v, &kind);
	for (unsigned int round = 0; round < 10; round++) {
		victim_expect_progress(&v);
		(void)inject(&v);
	}
	freeze_it(&f, v.pid);
	assert_int_equal(regs_get_seccomp_filter(v.pid, 0, &filter, NULL), 1);
	assert_int_equal(filter.n, 5);
	assert_int_equal(filter.insns[1].k, SYS_nanosleep);
	regs_filter_done(&filter);
	assert_int_equal(regs_get_seccomp_filter(v.pid, 1, &filter, NULL), 0);
	assert_int_equal(freeze_thaw(&f, NULL), 0);
	victim_expect_progress(&v);
	victim_end(&v);
}

static void a_tape_that_fails_is_told_and_undone(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area;
	struct user_regs_struct before;
	struct user_regs_struct after;
	struct error err = ERROR_INIT;
	struct victim v;
	struct tape *t;
	char *maps;

	victim_start(&v, &victim_kinds[0]);
	victim_expect_progress(&v);
	maps = maps_of(v.pid);
	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 9, "fails");
	(void)tape_call(t, SYS_close, TAPE_ARGS(tape_imm(12345)), "close what is not open");
	freeze_it(&f, v.pid);
	assert_int_equal(regs_get(v.pid, &before, NULL), 0);
	assert_int_equal(remote_begin(&remote, v.pid, NULL, &area, t, &err), -EBADF);
	assert_string_equal(err.text, "task 9: close what is not open: close: Bad file descriptor");
	assert_int_equal(regs_get(v.pid, &after, NULL), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(freeze_thaw(&f, NULL), 0);
	wait_until_maps_are(v.pid, maps);
	victim_expect_progress(&v);
	free(maps);
	victim_end(&v);
}

/* A tape that crashes must not take the target with it. */
static void a_crash_in_our_code_is_survived(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area;
	struct error err = ERROR_INIT;
	struct victim v;
	struct tape *t;
	char *maps;

	victim_start(&v, &victim_kinds[0]);
	victim_expect_progress(&v);
	maps = maps_of(v.pid);
	assert_int_equal(area_init(&area, NULL), 0);
	t = area_add_tape(&area, 9, "crashes");
	(void)tape_op(t, PIE_OP_STORE64, TAPE_ARGS(tape_imm(16), tape_imm(1)), "store nowhere");
	freeze_it(&f, v.pid);
	assert_int_equal(remote_begin(&remote, v.pid, NULL, &area, t, &err), -EFAULT);
	assert_non_null(strstr(err.text, "SEGV"));
	assert_int_equal(freeze_thaw(&f, NULL), 0);
	wait_until_maps_are(v.pid, maps);
	victim_expect_progress(&v);
	free(maps);
	victim_end(&v);
}

/* Stopped by job control before, and still stopped after. */
static void a_stopped_task_can_be_asked(void **state UNUSED)
{
	struct proc_stat stat = { .state = '?' };
	struct victim v;
	unsigned long rounds;

	victim_start(&v, &victim_kinds[0]);
	victim_expect_progress(&v);
	assert_int_equal(kill(v.pid, SIGSTOP), 0);
	while (stat.state != 'T')
		assert_int_equal(proc_stat_of(v.pid, &stat, NULL), 0);
	(void)inject(&v);
	rounds = v.shared->rounds;
	for (stat.state = '?'; stat.state != 'T';)
		assert_int_equal(proc_stat_of(v.pid, &stat, NULL), 0);
	assert_int_equal(v.shared->rounds, rounds);
	assert_int_equal(kill(v.pid, SIGCONT), 0);
	victim_expect_progress(&v);
	victim_end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(victims_notice_nothing),
		cmocka_unit_test(every_thread_can_be_asked),
		cmocka_unit_test(further_threads_are_asked_in_one_stop_each),
		cmocka_unit_test(a_filtered_task_can_be_asked),
		cmocka_unit_test(a_tape_that_fails_is_told_and_undone),
		cmocka_unit_test(a_crash_in_our_code_is_survived),
		cmocka_unit_test(a_stopped_task_can_be_asked),
		cmocka_unit_test(the_same_signal_from_others_confuses_nobody),
		cmocka_unit_test(code_is_reached_without_proc_mem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
