/* The three interval timers keep their interval and what remains. */
#include "live.h"

#include <sys/time.h>

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void check(int which, const char *name, long value, long interval)
{
	struct itimerval now;

	(void)SYS(getitimer(which, &now));
	CHECK(now.it_interval.tv_sec == interval && now.it_interval.tv_usec == 250000,
	      "%s: interval %ld.%06ld", name, now.it_interval.tv_sec, now.it_interval.tv_usec);
	CHECK(now.it_value.tv_sec <= value && now.it_value.tv_sec >= value - 60,
	      "%s: %ld s remain of %ld", name, now.it_value.tv_sec, value);
}

int main(void)
{
	struct itimerval real = { { 100, 250000 }, { 1000, 0 } },
			 virtual = { { 200, 250000 }, { 2000, 0 } },
			 prof = { { 300, 250000 }, { 3000, 0 } };
	struct sigaction action = { .sa_handler = tick };

	(void)SYS(sigaction(SIGALRM, &action, NULL));
	(void)SYS(setitimer(ITIMER_REAL, &real, NULL));
	(void)SYS(setitimer(ITIMER_VIRTUAL, &virtual, NULL));
	(void)SYS(setitimer(ITIMER_PROF, &prof, NULL));
	live_freeze();
	check(ITIMER_REAL, "real", 1000, 100);
	check(ITIMER_VIRTUAL, "virtual", 2000, 200);
	check(ITIMER_PROF, "prof", 3000, 300);
	real = (struct itimerval){ { 0, 0 }, { 0, 20000 } };
	(void)SYS(setitimer(ITIMER_REAL, &real, NULL));
	while (ticks == 0)
		(void)usleep(1000);
	live_pass();
}
