/* eventfds keep all 64 bits of their counters, their flags, and count down one by one if told so.
 */
#include "live.h"

#include <poll.h>
#include <sys/eventfd.h>

static uint64_t take(int fd)
{
	uint64_t n = 0;

	CHECK(read(fd, &n, sizeof(n)) == sizeof(n), "read: %s", strerror(errno));
	return n;
}

int main(void)
{
	const uint64_t huge = UINT64_MAX - 1;
	int big = SYS(eventfd(7, EFD_NONBLOCK));
	int semaphore = SYS(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
	int empty = SYS(eventfd(0, 0));
	int full = SYS(eventfd(0, EFD_NONBLOCK));
	struct pollfd watch = { .fd = full, .events = POLLIN | POLLOUT };
	uint64_t n = 0x1234567800000000;

	CHECK(write(big, &n, sizeof(n)) == sizeof(n), "write");
	CHECK(write(full, &huge, sizeof(huge)) == sizeof(huge), "write");
	live_freeze();
	n = take(big);
	CHECK(n == 0x1234567800000007, "the counter is %#llx", (unsigned long long)n);
	CHECK(read(big, &n, sizeof(n)) < 0 && errno == EAGAIN, "it is not empty, or blocks");
	for (int i = 0; i < 3; i++)
		CHECK(take(semaphore) == 1, "it is no semaphore any more");
	CHECK(read(semaphore, &n, sizeof(n)) < 0 && errno == EAGAIN, "the semaphore is not 0");
	CHECK(fcntl(semaphore, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	CHECK(fcntl(empty, F_GETFL) == O_RDWR, "flags are %#x", fcntl(empty, F_GETFL));
	watch.revents = 0;
	CHECK(poll(&watch, 1, 0) == 1 && watch.revents == POLLIN, "the full one can take more");
	CHECK(take(full) == huge, "the highest counter is lost");
	n = 5;
	CHECK(write(empty, &n, sizeof(n)) == sizeof(n) && take(empty) == 5, "it is broken");
	live_pass();
}
