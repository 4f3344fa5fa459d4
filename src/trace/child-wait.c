#include "trace/child-wait.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

/* A thread on another processor stops sooner than we could sleep and be woken. */
#define SPINS 20

void child_wait_begin(struct child_wait *wait)
{
	sigset_t set;

	*wait = (struct child_wait){ .spins = 0 };
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, &wait->saved); /* fails on bad arguments only */
}

void child_wait_sleep(struct child_wait *wait, uint64_t max_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(max_ns / NS_PER_SEC),
		.tv_nsec = (long)(max_ns % NS_PER_SEC),
	};
	sigset_t set;

	if (wait->spins++ < SPINS)
		return;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	if (sigtimedwait(&set, NULL, &ts) == SIGCHLD) {
		wait->taken = true;
		wait->spins = 0;
	}
}

void child_wait_end(struct child_wait *wait)
{
	struct sigaction action;
	int saved = errno;

	if (wait->taken && sigaction(SIGCHLD, NULL, &action) == 0 &&
	    (sigismember(&wait->saved, SIGCHLD) == 1 ||
	     (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)))
		(void)raise(SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &wait->saved, NULL);
	errno = saved;
}
