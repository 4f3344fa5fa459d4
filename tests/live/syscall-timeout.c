/* A call with a timeout that was frozen in the middle times out, not at once and not never. */
#include "live.h"

#include <linux/futex.h>
#include <poll.h>

static uint32_t word;

static void do_poll(void)
{
	uint64_t start = live_now_ns(CLOCK_MONOTONIC), took;
	int n = poll(NULL, 0, 1200);

	took = live_now_ns(CLOCK_MONOTONIC) - start;
	CHECK(n == 0 && took >= 1190000000U && took < 6000000000U, "poll returns %d after %lu ms",
	      n, took / 1000000);
}

static void do_futex(void)
{
	struct timespec t = { .tv_sec = 1, .tv_nsec = 200000000 };
	uint64_t start = live_now_ns(CLOCK_MONOTONIC), took;
	long n = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t);
	int error = errno;

	took = live_now_ns(CLOCK_MONOTONIC) - start;
	CHECK(n < 0 && error == ETIMEDOUT && took >= 1190000000U && took < 6000000000U,
	      "futex: %s after %lu ms", strerror(error), took / 1000000);
}

int main(void)
{
	pid_t a = live_fork(do_poll), b = live_fork(do_futex);

	live_wait_blocked(a, SYS_poll);
	live_wait_blocked(b, SYS_futex);
	live_freeze();
	live_reap(a);
	live_reap(b);
	live_pass();
}
