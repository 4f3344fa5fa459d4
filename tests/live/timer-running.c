/* A timer that ticks through the freeze goes on ticking. */
#include "live.h"

#include <sys/time.h>

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

int main(void)
{
	struct itimerval real = { { 0, 3000 }, { 0, 3000 } };
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	int before;

	(void)SYS(sigaction(SIGALRM, &action, NULL));
	(void)SYS(setitimer(ITIMER_REAL, &real, NULL));
	live_freeze();
	before = ticks;
	for (int i = 0; ticks < before + 10; i++) {
		CHECK(i < 5000, "the timer stands still after %d ticks", before);
		(void)usleep(1000);
	}
	live_pass();
}
