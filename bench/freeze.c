/*
 * freeze: how long it takes to stop, ask and release trees of several shapes.
 *	freeze [RUNS]
 * One JSON line per shape: medians, in microseconds. "ask" is an injection of
 * 70 system calls into the first thread of the first task, begin to end, and
 * 4 calls to each further thread of it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "trace/area.h"
#include "trace/freeze.h"
#include "trace/remote.h"
#include "trace/tape.h"

#define RUNS_MAX 1000

struct shape {
	const char *name;
	unsigned int processes;
	unsigned int threads; /* in each */
};

static atomic_uint *ready;

static void *rest(void *arg)
{
	(*ready)++;
	for (;;)
		(void)pause();
	return arg;
}

static void be(const struct shape *shape)
{
	pthread_attr_t attr;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, 65536);
	for (unsigned int i = 1; i < shape->threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attr, rest, NULL) != 0)
			_exit(1);
	}
	(void)rest(NULL);
}

static pid_t start(const struct shape *shape)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (unsigned int i = 1; i < shape->processes; i++) {
		if (fork() == 0)
			be(shape);
	}
	be(shape);
	_exit(0);
}

static int ask(const struct frozen_task *task, struct error *err)
{
	struct remote_question *questions = calloc(task->n_threads, sizeof(*questions));
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area;
	struct tape *tape;
	int r = area_init(&area, err);

	if (r < 0 || !questions)
		return r < 0 ? r : -ENOMEM;
	tape = area_add_tape(&area, 1, "ask");
	for (unsigned int i = 0; i < 70; i++)
		(void)tape_call(tape, SYS_getppid, TAPE_ARGS(), "%u", i);
	for (size_t i = 1; i < task->n_threads; i++) {
		questions[i].host_tid = task->threads[i].host_tid;
		for (; questions[i].n_calls < 4; questions[i].n_calls++)
			questions[i].calls[questions[i].n_calls].nr = SYS_gettid;
	}
	r = remote_begin(&remote, task->host_pid, NULL, &area, tape, err);
	if (r == 0)
		r = remote_ask_threads(&remote, questions + 1, task->n_threads - 1, err);
	if (r == 0)
		r = remote_end(&remote, err);
	free(questions);
	return r;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median_us(uint64_t *ns, unsigned int n)
{
	qsort(ns, n, sizeof(*ns), compare);
	return (double)ns[n / 2] / (double)NS_PER_US;
}

static int measure(const struct shape *shape, unsigned int runs)
{
	static uint64_t times[3][RUNS_MAX];
	struct error err = ERROR_INIT;
	struct freeze f = FREEZE_INIT;
	struct utsname host;
	pid_t pid;

	*ready = 0;
	pid = start(shape);
	while (*ready < shape->processes * shape->threads)
		(void)sched_yield();
	for (unsigned int i = 0; i < runs; i++) {
		uint64_t t0 = clock_mono_ns();
		uint64_t t1;
		uint64_t t2;

		if (freeze_begin(&f, pid, 0, &err) < 0)
			break;
		t1 = clock_mono_ns();
		if (ask(&f.tasks[0], &err) < 0)
			break;
		t2 = clock_mono_ns();
		if (freeze_thaw(&f, &err) < 0)
			break;
		times[0][i] = t1 - t0;
		times[1][i] = t2 - t1;
		times[2][i] = clock_mono_ns() - t2;
	}
	if (freeze_begin(&f, pid, 0, &err) == 0)
		(void)freeze_kill(&f, NULL, &err);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	if (err.code) {
		(void)fprintf(stderr, "freeze: %s: %s\n", shape->name, err.text);
		return 1;
	}
	(void)uname(&host);
	(void)printf(
		"{\"bench\": \"freeze\", \"shape\": \"%s\", \"processes\": %u, \"threads\": %u, "
		"\"runs\": %u, \"freeze_us\": %.0f, \"ask_us\": %.0f, \"thaw_us\": %.0f, "
		"\"kernel\": \"%s\"}\n",
		shape->name, shape->processes, shape->threads, runs, median_us(times[0], runs),
		median_us(times[1], runs), median_us(times[2], runs), host.release);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct shape shapes[] = {
		{ "one task", 1, 1 },	       { "100 processes", 100, 1 },
		{ "100 threads", 1, 100 },     { "1000 threads", 1, 1000 },
		{ "1000 processes", 1000, 1 },
	};
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 20;
	int failed = 0;

	if (runs < 1 || runs > RUNS_MAX)
		return 2;
	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (ready == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		failed |= measure(&shapes[i], (unsigned int)runs);
	return failed;
}
