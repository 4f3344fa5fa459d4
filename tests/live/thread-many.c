/* Five hundred threads on small stacks, and a timer that signals one of them. */
#include "live.h"

#include <pthread.h>

#define N 500
#define SIGNALLED 123

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int n_there, n_gone;
static bool go;
static pid_t signalled;
static volatile pid_t caught_by;

static void catch (int signal)
{
	(void)signal;
	caught_by = gettid();
}

static void *body(void *arg)
{
	intptr_t i = (intptr_t)arg;

	(void)pthread_mutex_lock(&lock);
	if (i == SIGNALLED)
		signalled = gettid();
	n_there++;
	while (!go)
		(void)pthread_cond_wait(&told, &lock);
	n_gone++;
	(void)pthread_mutex_unlock(&lock);
	return (void *)(i + 1);
}

static timer_t make_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct sigaction action = { .sa_handler = catch, .sa_flags = SA_RESTART };
	timer_t timer;

	event._sigev_un._tid = signalled;
	(void)SYS(sigaction(SIGUSR1, &action, NULL));
	(void)SYS(timer_create(CLOCK_MONOTONIC, &event, &timer));
	return timer;
}

int main(void)
{
	const struct itimerspec soon = { .it_value = { .tv_nsec = 1000000 } };
	static pthread_t threads[N];
	pthread_attr_t attr;
	timer_t timer;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, 65536);
	for (intptr_t i = 0; i < N; i++)
		CHECK(pthread_create(&threads[i], &attr, body, (void *)i) == 0, "thread %zd", i);
	for (bool all = false; !all; live_pause_ms(1)) {
		(void)pthread_mutex_lock(&lock);
		all = n_there == N;
		(void)pthread_mutex_unlock(&lock);
	}
	timer = make_timer();
	live_freeze();
	(void)SYS(timer_settime(timer, 0, &soon, NULL));
	while (!caught_by)
		live_pause_ms(1);
	CHECK(caught_by == signalled, "thread %d got the timer's signal, not %d", caught_by,
	      signalled);
	(void)pthread_mutex_lock(&lock);
	go = true;
	(void)pthread_cond_broadcast(&told);
	(void)pthread_mutex_unlock(&lock);
	for (intptr_t i = 0; i < N; i++) {
		void *result = NULL;

		CHECK(pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1),
		      "thread %zd returned %p", i, result);
	}
	CHECK(n_gone == N, "%d threads have gone on", n_gone);
	live_pass();
}
