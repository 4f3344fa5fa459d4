/* POSIX timers keep their ids, clocks, signals and what is left of their time. */
#include "live.h"

#include <time.h>

static volatile sig_atomic_t fired;
static volatile int value;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	value = info->si_value.sival_int;
	fired++;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent signals = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3 };
	struct sigevent nothing = { .sigev_notify = SIGEV_NONE };
	struct itimerspec soon = { .it_value = { .tv_sec = 2 },
				   .it_interval = { .tv_nsec = 50000000 } };
	struct itimerspec late = { .it_value = { .tv_sec = 1000 } };
	struct itimerspec got;
	timer_t ticking, gone, waiting;

	signals.sigev_value.sival_int = 4711;
	(void)SYS(sigaction(SIGRTMIN + 3, &action, NULL));
	(void)SYS(timer_create(CLOCK_MONOTONIC, &signals, &gone));
	(void)SYS(timer_create(CLOCK_MONOTONIC, &signals, &ticking));
	(void)SYS(timer_create(CLOCK_REALTIME, &nothing, &waiting));
	(void)SYS(timer_delete(gone));
	(void)SYS(timer_settime(waiting, 0, &late, NULL));
	(void)SYS(timer_settime(ticking, 0, &soon, NULL));
	live_freeze();
	(void)SYS(timer_gettime(waiting, &got));
	CHECK(got.it_value.tv_sec > 900 && got.it_value.tv_sec <= 1000, "%ld s are left of 1000",
	      (long)got.it_value.tv_sec);
	for (int i = 0; i < 2500 && fired < 3; i++)
		live_pause_ms(2);
	CHECK(fired >= 3, "it fired %d times", (int)fired);
	CHECK(value == 4711, "it carries %d", value);
	(void)SYS(timer_gettime(ticking, &got));
	CHECK(got.it_interval.tv_nsec == 50000000, "its interval is %ld ns",
	      got.it_interval.tv_nsec);
	(void)SYS(timer_delete(ticking));
	(void)SYS(timer_delete(waiting));
	live_pass();
}
