/*
 * Freezing of true trees. Victims say through shared memory how far they are.
 */
#include "../cmocka-all.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
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
#include "base/proc.h"
#include "trace/freeze.h"

/* What victims tell; one page shared with all of them. */
struct shared {
	atomic_int ready;
	atomic_ulong ticks;
	atomic_int signals;
	atomic_int bad;
	atomic_int stop;
};

static struct shared *shared;

static void tick_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		uint64_t until_ = clock_mono_ns() + 20 * NS_PER_SEC;                               \
		while (!(condition)) {                                                             \
			assert_true(clock_mono_ns() < until_);                                     \
			tick_ms(1);                                                                \
		}                                                                                  \
	} while (0)

static int setup(void **state UNUSED)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state UNUSED)
{
	pid_t pid;

	/* Orphans that died with their tree are ours to reap; nobody may be left alive. */
	do {
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
	} while (pid > 0);
	munmap(shared, 4096);
	return pid == -1 && errno == ECHILD ? 0 : -1;
}

static pid_t victim(void (*run)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	return pid;
}

static void end_victim(pid_t pid)
{
	int status = 0;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void count(void)
{
	shared->ready = 1;
	for (;;)
		shared->ticks++;
}

static bool is_standing_still(void)
{
	unsigned long before = shared->ticks;

	tick_ms(5);
	return shared->ticks == before;
}

static char state_of(pid_t pid)
{
	struct proc_stat stat;

	assert_int_equal(proc_stat_of(pid, &stat, NULL), 0);
	return stat.state;
}

static void begin(struct freeze *f, pid_t pid)
{
	struct error err = ERROR_INIT;

	if (freeze_begin(f, pid, 0, &err) < 0)
		fail_msg("%s", err.text);
}

static void a_running_task_stands_still_and_goes_on(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	pid_t pid = victim(count);
	unsigned long before;

	WAIT_FOR(shared->ready);
	begin(&f, pid);
	assert_int_equal(f.n_tasks, 1);
	assert_int_equal(f.tasks[0].host_pid, pid);
	assert_int_equal(f.tasks[0].host_ppid, getpid());
	assert_int_equal(f.tasks[0].n_threads, 1);
	assert_int_equal(f.tasks[0].stop_signal, 0);
	assert_int_equal(state_of(pid), 't');
	assert_ptr_equal(freeze_find(&f, pid), &f.tasks[0]);
	assert_null(freeze_find(&f, 1));
	assert_true(is_standing_still());
	before = shared->ticks;
	assert_int_equal(freeze_thaw(&f, NULL), 0);
	WAIT_FOR(shared->ticks != before);
	end_victim(pid);
}

#define N_THREADS 50

static void *count_in_thread(void *arg UNUSED)
{
	shared->ready++;
	for (;;) {
		shared->ticks++;
		tick_ms(1);
	}
	return NULL;
}

/* Three generations; the last one has threads. */
static void family(void)
{
	if (fork() != 0)
		for (;;)
			pause();
	if (fork() != 0)
		for (;;)
			pause();
	for (unsigned int i = 1; i < N_THREADS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, count_in_thread, NULL) != 0)
			_exit(1);
	}
	count_in_thread(NULL);
}

static void a_tree_with_threads_is_stopped_whole_and_killed_whole(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	pid_t pid = victim(family);
	pid_t pids[3];

	WAIT_FOR(shared->ready == N_THREADS);
	begin(&f, pid);
	assert_int_equal(f.n_tasks, 3);
	for (size_t i = 0; i < 3; i++)
		pids[i] = f.tasks[i].host_pid;
	assert_int_equal(f.tasks[1].host_ppid, pids[0]);
	assert_int_equal(f.tasks[2].host_ppid, pids[1]);
	assert_int_equal(f.tasks[2].n_threads, N_THREADS);
	assert_int_equal(f.tasks[2].threads[0].host_tid, pids[2]);
	assert_true(is_standing_still());
	assert_int_equal(freeze_kill(&f, NULL, NULL), 0);
	for (size_t i = 1; i < 3; i++)
		WAIT_FOR(kill(pids[i], 0) < 0 && errno == ESRCH);
	assert_int_equal(waitpid(pid, NULL, __WALL), -1); /* freeze_kill has reaped it for us */
}

static void a_stopped_task_is_known_and_stays_stopped(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	pid_t pid = victim(count);

	WAIT_FOR(shared->ready);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	WAIT_FOR(state_of(pid) == 'T');
	for (unsigned int i = 0; i < 3; i++) {
		begin(&f, pid);
		assert_int_equal(f.tasks[0].stop_signal, SIGSTOP);
		assert_int_equal(freeze_thaw(&f, NULL), 0);
		WAIT_FOR(state_of(pid) == 'T');
		assert_true(is_standing_still());
	}
	assert_int_equal(kill(pid, SIGCONT), 0);
	WAIT_FOR(!is_standing_still());
	end_victim(pid);
}

static void a_tree_can_be_left_stopped(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	pid_t pid = victim(count);

	WAIT_FOR(shared->ready);
	begin(&f, pid);
	assert_int_equal(freeze_leave_stopped(&f, NULL), 0);
	WAIT_FOR(state_of(pid) == 'T');
	assert_int_equal(kill(pid, SIGCONT), 0);
	WAIT_FOR(!is_standing_still());
	end_victim(pid);
}

static void parent_of_a_zombie(void)
{
	if (fork() == 0)
		_exit(7);
	shared->ready = 1;
	for (;;)
		pause();
}

static void a_zombie_is_listed_but_not_traced(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	cleanup_free pid_t *children = NULL;
	pid_t pid = victim(parent_of_a_zombie);
	size_t n = 0;

	WAIT_FOR(shared->ready);
	assert_int_equal(proc_children_of(pid, &children, &n, NULL), 0);
	assert_int_equal(n, 1);
	WAIT_FOR(state_of(children[0]) == 'Z');
	begin(&f, pid);
	assert_int_equal(f.n_tasks, 2);
	assert_true(f.tasks[1].zombie);
	assert_int_equal(f.tasks[1].host_pid, children[0]);
	assert_int_equal(f.tasks[1].n_threads, 0);
	assert_int_equal(freeze_thaw(&f, NULL), 0);
	assert_int_equal(state_of(children[0]), 'Z');
	end_victim(pid);
}

static void absent_and_dead_roots_are_refused(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	struct freeze f;
	pid_t pid = victim(count);
	siginfo_t si;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(freeze_begin(&f, pid, 0, &err), -ESRCH); /* a zombie */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(freeze_begin(&f, pid, 0, &err), -ESRCH);
	assert_int_equal(freeze_begin(&f, 0, 0, &err), -EINVAL);
	assert_int_equal(freeze_begin(&f, getpid(), 0, &err), -EINVAL);
	assert_non_null(strstr(err.text, "this very process"));
}

static void another_tracer_is_named(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	struct freeze f;
	char name[32];
	pid_t pid = victim(count);
	pid_t tracer;

	WAIT_FOR(shared->ready == 1);
	tracer = fork();
	if (tracer == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_SEIZE, pid, NULL, 0) == 0)
			shared->ready = 2;
		for (;;)
			pause();
	}
	WAIT_FOR(shared->ready == 2);
	assert_int_equal(freeze_begin(&f, pid, 0, &err), -EBUSY);
	(void)snprintf(name, sizeof(name), "process %d", (int)tracer);
	assert_non_null(strstr(err.text, name));
	end_victim(tracer);
	WAIT_FOR(!is_standing_still());
	end_victim(pid);
}

/* Children that are born and die all the time, two levels deep. */
static void breed(void)
{
	shared->ready = 1;
	for (;;) {
		pid_t child = fork();

		if (child == 0) {
			pid_t grandchild = fork();

			shared->ticks++;
			if (grandchild == 0)
				_exit(0);
			(void)waitpid(grandchild, NULL, 0);
			_exit(0);
		}
		if (child < 0 || waitpid(child, NULL, 0) != child)
			shared->bad++;
	}
}

static void nothing_escapes_from_a_breeding_tree(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	pid_t pid = victim(breed);
	unsigned long before;

	WAIT_FOR(shared->ready);
	for (unsigned int i = 0; i < 300; i++) {
		begin(&f, pid);
		before = shared->ticks;
		for (size_t j = 0; j < f.n_tasks; j++) {
			if (!f.tasks[j].zombie)
				assert_int_equal(state_of(f.tasks[j].host_pid), 't');
		}
		if (i % 50 == 0)
			assert_true(is_standing_still());
		assert_int_equal(freeze_thaw(&f, NULL), 0);
		WAIT_FOR(shared->ticks != before);
	}
	assert_int_equal(shared->bad, 0);
	begin(&f, pid);
	assert_int_equal(freeze_kill(&f, NULL, NULL), 0);
}

/* system(3) and posix_spawn(3) wait like this: in the kernel, deaf to ptrace. */
static void spawn_all_the_time(void)
{
	shared->ready = 1;
	for (;;) {
		static char *const argv[] = { (char *)(uintptr_t) "true", NULL };
		int status = -1;
		pid_t child = vfork();

		if (child == 0) {
			execv("/bin/true", argv);
			_exit(127);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
			shared->bad++;
		shared->ticks++;
	}
}

static void vfork_parents_are_waited_for(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	pid_t pid = victim(spawn_all_the_time);
	unsigned long before;

	WAIT_FOR(shared->ready);
	for (unsigned int i = 0; i < 200; i++) {
		begin(&f, pid);
		before = shared->ticks;
		assert_int_equal(freeze_thaw(&f, NULL), 0);
		if (i % 4 == 0)
			WAIT_FOR(shared->ticks != before);
	}
	assert_int_equal(shared->bad, 0);
	begin(&f, pid);
	assert_int_equal(freeze_kill(&f, NULL, NULL), 0);
}

static void vfork_for_good(void)
{
	if (vfork() == 0) {
		shared->ready = 1;
		while (!shared->stop)
			tick_ms(1);
		_exit(0);
	}
	for (;;)
		shared->ticks++;
}

static void an_endless_vfork_is_refused_in_words(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	struct error err = ERROR_INIT;
	pid_t pid = victim(vfork_for_good);

	WAIT_FOR(shared->ready);
	WAIT_FOR(state_of(pid) == 'D');
	assert_int_equal(freeze_begin(&f, pid, 100, &err), -ETIMEDOUT);
	if (!strstr(err.text, "waits in vfork for task"))
		fail_msg("%s", err.text);
	shared->stop = 1;
	/* It lives on; the trace of it that could not be taken off ends now, at the latest. */
	(void)waitpid(pid, NULL, __WALL | WNOHANG);
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	WAIT_FOR(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0 || !is_standing_still());
	WAIT_FOR(!is_standing_still());
	end_victim(pid);
}

static void leave_threads_behind(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, count_in_thread, NULL) != 0)
		_exit(1);
	pthread_exit(NULL);
}

static void a_dead_first_thread_is_refused_in_words(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	struct freeze f;
	pid_t pid = victim(leave_threads_behind);

	WAIT_FOR(shared->ready && state_of(pid) == 'Z');
	assert_int_equal(freeze_begin(&f, pid, 0, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "its first thread has ended"));
	assert_false(is_standing_still());
	end_victim(pid);
}

/* This program again, from a thread that is not the first, without end. */
static void *exec_self(void *arg)
{
	static char *const argv[] = { (char *)(uintptr_t) "freeze", (char *)(uintptr_t) "exec",
				      NULL };
	static char *const envp[] = { NULL };

	(void)execve("/proc/self/exe", argv, envp);
	return arg;
}

static void exec_all_the_time(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_self, NULL) != 0)
		_exit(1);
	for (;;)
		(void)pause();
}

static void execve_takes_over_from_any_thread(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	struct error err = ERROR_INIT;
	pid_t pid = victim(exec_all_the_time);
	struct proc_stat stat;

	for (unsigned int i = 0; i < 200; i++) {
		if (freeze_begin(&f, pid, 5000, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(f.n_tasks, 1);
		for (size_t j = 0; j < f.tasks[0].n_threads; j++) {
			assert_int_equal(proc_stat_of_thread(pid, f.tasks[0].threads[j].host_tid,
							     &stat, NULL),
					 0);
			assert_int_equal(stat.state, 't');
		}
		assert_int_equal(proc_count_threads(pid), (int)f.tasks[0].n_threads);
		assert_int_equal(freeze_thaw(&f, &err), 0);
		if (i % 2)
			tick_ms(1);
	}
	end_victim(pid);
}

static void on_signal(int signal UNUSED, siginfo_t *si, void *context UNUSED)
{
	/* Queued signals of one number arrive in order, each once. */
	if (si->si_value.sival_int != shared->signals)
		shared->bad++;
	shared->signals++;
}

static void take_signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	(void)sigaction(SIGRTMIN, &sa, NULL);
	shared->ready = 1;
	for (;;)
		shared->ticks++;
}

static int send_signal(pid_t pid, int n)
{
	return sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = n });
}

static void signals_arrive_once_and_in_order(void **state UNUSED)
{
	cleanup_freeze struct freeze f = FREEZE_INIT;
	pid_t pid = victim(take_signals);
	int sent = 0;

	WAIT_FOR(shared->ready);
	for (unsigned int i = 0; i < 500; i++) {
		for (unsigned int j = 0; j < 3; j++)
			assert_int_equal(send_signal(pid, sent++), 0);
		begin(&f, pid);
		assert_int_equal(send_signal(pid, sent++), 0);
		assert_int_equal(freeze_thaw(&f, NULL), 0);
	}
	WAIT_FOR(shared->signals == sent);
	assert_int_equal(shared->bad, 0);
	end_victim(pid);
}

/* A tracer that is killed at any moment: its victim has lost nothing. */
static void a_killed_tracer_loses_no_signal(void **state UNUSED)
{
	pid_t pid = victim(take_signals);
	unsigned long before;
	int sent = 0;

	WAIT_FOR(shared->ready);
	for (unsigned int i = 0; i < 300; i++) {
		pid_t tracer = fork();

		assert_true(tracer >= 0);
		if (tracer == 0) {
			struct freeze f;

			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;) {
				if (freeze_begin(&f, pid, 0, NULL) < 0 || freeze_thaw(&f, NULL) < 0)
					_exit(1);
			}
		}
		for (unsigned int j = 0; j < 20; j++)
			assert_int_equal(send_signal(pid, sent++), 0);
		for (volatile unsigned int spin = 0; spin < i * 200; spin++)
			;
		assert_int_equal(kill(tracer, SIGKILL), 0);
		assert_int_equal(waitpid(tracer, NULL, 0), tracer);
		before = shared->ticks;
		WAIT_FOR(shared->ticks != before);
	}
	WAIT_FOR(shared->signals == sent);
	assert_int_equal(shared->bad, 0);
	end_victim(pid);
}

int main(int argc, char **argv)
{
#define FREEZE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		FREEZE_TEST(a_running_task_stands_still_and_goes_on),
		FREEZE_TEST(a_tree_with_threads_is_stopped_whole_and_killed_whole),
		FREEZE_TEST(a_stopped_task_is_known_and_stays_stopped),
		FREEZE_TEST(a_tree_can_be_left_stopped),
		FREEZE_TEST(a_zombie_is_listed_but_not_traced),
		FREEZE_TEST(absent_and_dead_roots_are_refused),
		FREEZE_TEST(another_tracer_is_named),
		FREEZE_TEST(nothing_escapes_from_a_breeding_tree),
		FREEZE_TEST(vfork_parents_are_waited_for),
		FREEZE_TEST(an_endless_vfork_is_refused_in_words),
		FREEZE_TEST(a_dead_first_thread_is_refused_in_words),
		FREEZE_TEST(execve_takes_over_from_any_thread),
		FREEZE_TEST(signals_arrive_once_and_in_order),
		FREEZE_TEST(a_killed_tracer_loses_no_signal),
	};

	if (argc > 1 && strcmp(argv[1], "exec") == 0)
		exec_all_the_time();
	/* Orphans of a killed tree come to us. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
