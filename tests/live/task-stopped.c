/* Children stopped by job control, one with threads, stay stopped, and SIGCONT wakes them. */
#include "live.h"

#include <pthread.h>

static void *counting(void *arg)
{
	for (volatile unsigned int *counter = arg;; ++*counter)
		if (*counter % 1024 == 0)
			(void)sched_yield();
	return NULL;
}

static volatile unsigned int counters[2];

static void alone(void)
{
	live_wait();
}

static void with_threads(void)
{
	unsigned int before[2];

	(void)SYS(setpgid(0, 0));
	for (int i = 0; i < 2; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, counting, (void *)&counters[i]) == 0,
		      "a thread");
	}
	live_wait();
	for (int i = 0; i < 2; i++)
		before[i] = counters[i];
	for (int i = 0; i < 2; i++)
		while (counters[i] == before[i])
			live_pause_ms(1);
}

static char state_of(pid_t pid)
{
	return *live_proc(pid, "status", "State:\t");
}

static void stop(pid_t pid, int signal)
{
	int status = 0;

	(void)SYS(kill(pid, signal));
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
		      WSTOPSIG(status) == signal,
	      "waitpid: status %#x", (unsigned int)status);
}

static void judge(pid_t pid, int signal)
{
	int status = 0;

	CHECK(state_of(pid) == 'T', "the child's state is %c", state_of(pid));
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == pid && WSTOPSIG(status) == signal,
	      "the child's stop is not told: status %#x", (unsigned int)status);
	(void)SYS(kill(pid, SIGCONT));
	live_reap(pid);
}

int main(void)
{
	pid_t pids[] = { live_fork(alone), live_fork(with_threads) };

	while (getpgid(pids[1]) != pids[1])
		live_pause_ms(1);
	stop(pids[0], SIGSTOP);
	stop(pids[1], SIGTSTP);
	(void)SYS(kill(pids[0], SIGSTOP)); /* waits until it is continued, and is forgotten then */
	live_freeze();
	live_pause_ms(50); /* a child that runs has time to show it */
	judge(pids[0], SIGSTOP);
	judge(pids[1], SIGTSTP);
	live_pass();
}
