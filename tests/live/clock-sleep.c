/* Sleeps, relative and absolute, end when they should: never early, not much late. */
#include "live.h"

static void relative(void)
{
	uint64_t start = live_now_ns(CLOCK_MONOTONIC);
	struct timespec t = { .tv_sec = 1, .tv_nsec = 500000000 };

	CHECK(nanosleep(&t, NULL) == 0, "nanosleep: %s", strerror(errno));
	uint64_t took = live_now_ns(CLOCK_MONOTONIC) - start;

	CHECK(took >= 1500000000U && took < 6000000000U, "slept %lu ms", took / 1000000);
}

static void absolute(void)
{
	uint64_t end = live_now_ns(CLOCK_MONOTONIC) + 1500000000U, now;
	struct timespec t = { .tv_sec = (time_t)(end / 1000000000U),
			      .tv_nsec = (long)(end % 1000000000U) };

	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0,
	      "clock_nanosleep failed");
	now = live_now_ns(CLOCK_MONOTONIC);
	CHECK(now >= end, "woke %lu us early", (end - now) / 1000);
	CHECK(now - end < 4000000000U, "woke %lu ms late", (now - end) / 1000000);
}

int main(void)
{
	pid_t a = live_fork(relative), b = live_fork(absolute);

	live_wait_blocked(a, SYS_clock_nanosleep);
	live_wait_blocked(b, SYS_clock_nanosleep);
	live_freeze();
	live_reap(a);
	live_reap(b);
	live_pass();
}
