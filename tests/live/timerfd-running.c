/*
 * timerfds go on with the time they had left: one that runs, one that ticks, one that has
 * ticked unread, one disarmed, one of the wall clock set to an absolute time.
 */
#include "live.h"

#include <sys/timerfd.h>

static struct itimerspec at(long long value_ns, long long interval_ns)
{
	return (struct itimerspec){
		.it_value = { value_ns / 1000000000, value_ns % 1000000000 },
		.it_interval = { interval_ns / 1000000000, interval_ns % 1000000000 },
	};
}

#define MS 1000000LL
#define S 1000000000LL

int main(void)
{
	int once = SYS(timerfd_create(CLOCK_MONOTONIC, 0));
	int ticking = SYS(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC));
	int unread = SYS(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	int disarmed = SYS(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	int absolute = SYS(timerfd_create(CLOCK_REALTIME, 0));
	int far = SYS(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	struct itimerspec set = at(1500 * MS, 0), got;
	uint64_t began = live_now_ns(CLOCK_MONOTONIC), n = 0;
	uint64_t ticks_then;

	(void)SYS(timerfd_settime(once, 0, &set, NULL));
	set = at(3600 * S, 1 * MS);
	(void)SYS(timerfd_settime(ticking, 0, &set, NULL));
	set = at(1 * MS, 5 * MS);
	(void)SYS(timerfd_settime(unread, 0, &set, NULL));
	set = at((long long)live_now_ns(CLOCK_REALTIME) + 1500 * MS, 0);
	(void)SYS(timerfd_settime(absolute, TFD_TIMER_ABSTIME, &set, NULL));
	set = at((long long)began + 7200 * S, 0);
	(void)SYS(timerfd_settime(far, TFD_TIMER_ABSTIME, &set, NULL));
	while (live_now_ns(CLOCK_MONOTONIC) < began + 50 * MS)
		live_pause_ms(5);
	live_freeze();

	/* At least those of the 50 ms that passed before; all are told at once. */
	CHECK(read(unread, &n, sizeof(n)) == sizeof(n), "ticks: %s", strerror(errno));
	ticks_then = n;
	CHECK(n >= 9, "only %llu ticks are left", (unsigned long long)n);
	live_pause_ms(20);
	CHECK(read(unread, &n, sizeof(n)) == sizeof(n) && n >= 1 && n < 1000,
	      "it does not tick on: %llu after %llu", (unsigned long long)n,
	      (unsigned long long)ticks_then);
	(void)SYS(timerfd_gettime(ticking, &got));
	CHECK(got.it_value.tv_sec > 3500 && got.it_value.tv_sec < 3600 &&
		      got.it_interval.tv_nsec == 1 * MS,
	      "%ld s left, interval %ld ns", got.it_value.tv_sec, got.it_interval.tv_nsec);
	CHECK(fcntl(ticking, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	(void)SYS(timerfd_gettime(disarmed, &got));
	CHECK(!got.it_value.tv_sec && !got.it_value.tv_nsec, "the disarmed one runs");
	(void)SYS(timerfd_gettime(far, &got));
	CHECK(got.it_value.tv_sec > 7000 && got.it_value.tv_sec < 7200, "%ld s left of 7200",
	      got.it_value.tv_sec);
	CHECK(read(far, &n, sizeof(n)) < 0 && errno == EAGAIN, "it ran out too early");
	CHECK(read(once, &n, sizeof(n)) == sizeof(n) && n == 1, "once ticked %llu times",
	      (unsigned long long)n);
	CHECK(read(absolute, &n, sizeof(n)) == sizeof(n) && n == 1, "the absolute one");
	live_pass();
}
