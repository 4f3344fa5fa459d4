/* Threads that sleep in a futex, a pipe, poll and a timed sleep, and one that runs. */
#include "live.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static bool go;
static int pipes[2][2];
static volatile uint64_t counter;
static volatile bool stop;
static __thread uint64_t own = 7;

static pid_t tids[5];

static void here(int i)
{
	own = 1000 + (uint64_t)i;
	__atomic_store_n(&tids[i], gettid(), __ATOMIC_RELEASE);
}

static void *in_condition(void *arg)
{
	here(0);
	(void)pthread_mutex_lock(&lock);
	while (!go)
		(void)pthread_cond_wait(&told, &lock);
	(void)pthread_mutex_unlock(&lock);
	CHECK(own == 1000, "thread-local storage is %lu", own);
	return arg;
}

static void *in_semaphore(void *arg)
{
	here(1);
	CHECK(sem_wait(&semaphore) == 0, "sem_wait: %s", strerror(errno));
	CHECK(own == 1001, "thread-local storage is %lu", own);
	return arg;
}

static void *in_read(void *arg)
{
	char byte = 0;
	ssize_t n;

	here(2);
	n = read(pipes[0][0], &byte, 1);
	CHECK(n == 1 && byte == 'x', "read gave %zd: %s", n, strerror(errno));
	CHECK(own == 1002, "thread-local storage is %lu", own);
	return arg;
}

static void *in_poll(void *arg)
{
	struct pollfd look = { .fd = pipes[1][0], .events = POLLIN };
	int n;

	here(3);
	n = poll(&look, 1, -1);
	CHECK(n == 1 && look.revents == POLLIN, "poll gave %d: %s", n, strerror(errno));
	CHECK(own == 1003, "thread-local storage is %lu", own);
	return arg;
}

static void *running(void *arg)
{
	double sum = 1.5;

	here(4);
	while (!stop) {
		counter++;
		sum = sum * 1.000001 + 0.25;
		if (sum > 1e12)
			sum = 1.5;
	}
	CHECK(own == 1004, "thread-local storage is %lu", own);
	CHECK(sum >= 1.5, "the sum is %f", sum);
	return arg;
}

int main(void)
{
	void *(*const bodies[])(void *) = { in_condition, in_semaphore, in_read, in_poll, running };
	pthread_t threads[5];
	uint64_t before;

	CHECK(sem_init(&semaphore, 0, 0) == 0, "sem_init: %s", strerror(errno));
	(void)SYS(pipe(pipes[0]));
	(void)SYS(pipe(pipes[1]));
	for (int i = 0; i < 5; i++)
		CHECK(pthread_create(&threads[i], NULL, bodies[i], &tids[i]) == 0,
		      "pthread_create");
	for (int i = 0; i < 5; i++)
		while (!__atomic_load_n(&tids[i], __ATOMIC_ACQUIRE))
			live_pause_ms(1);
	for (int i = 0; i < 4; i++)
		live_wait_blocked(tids[i], i == 2 ? SYS_read : i == 3 ? SYS_poll : SYS_futex);
	live_freeze();

	before = counter;
	while (counter == before)
		live_pause_ms(1);
	stop = true;
	(void)pthread_mutex_lock(&lock);
	go = true;
	(void)pthread_cond_broadcast(&told);
	(void)pthread_mutex_unlock(&lock);
	(void)sem_post(&semaphore);
	CHECK(write(pipes[0][1], "x", 1) == 1, "write");
	CHECK(write(pipes[1][1], "y", 1) == 1, "write");
	for (int i = 0; i < 5; i++) {
		void *result = NULL;

		/* It waits for the kernel to clear the thread's id and wake us. */
		CHECK(pthread_join(threads[i], &result) == 0, "pthread_join");
		CHECK(result == &tids[i], "thread %d returned %p", i, result);
	}
	CHECK(pthread_create(&threads[0], NULL, running, NULL) == 0, "a new thread");
	CHECK(pthread_join(threads[0], NULL) == 0, "pthread_join");
	live_pass();
}
