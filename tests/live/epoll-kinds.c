/* An epoll instance watches what it watched, whatever its kind, with its events and data. */
#include "live.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int ep;

static void add(int where, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	(void)SYS(epoll_ctl(where, EPOLL_CTL_ADD, fd, &event));
}

/* Exactly this one is ready. */
static void expect(uint64_t data, uint32_t events)
{
	struct epoll_event got[8];
	int n = SYS(epoll_wait(ep, got, 8, 2000));

	CHECK(n == 1, "%d are ready, not only %llx", n, (unsigned long long)data);
	CHECK(got[0].data.u64 == data, "%llx is ready, not %llx",
	      (unsigned long long)got[0].data.u64, (unsigned long long)data);
	CHECK(got[0].events == events, "%llx has events %x", (unsigned long long)data,
	      got[0].events);
}

static void nothing(void)
{
	struct epoll_event got;

	CHECK(epoll_wait(ep, &got, 1, 0) == 0, "%llx is ready", (unsigned long long)got.data.u64);
}

int main(void)
{
	const uint64_t base = 0xfedcba9800000000;
	struct itimerspec now = { .it_value = { 0, 1 } };
	int event, timer, signals, inner, in_inner, ends[2], moved, gone;
	uint64_t n = 1;
	char byte;
	sigset_t mask;

	ep = SYS(epoll_create1(EPOLL_CLOEXEC));
	event = SYS(eventfd(0, EFD_NONBLOCK));
	timer = SYS(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	(void)SYS(sigprocmask(SIG_BLOCK, &mask, NULL));
	signals = SYS(signalfd(-1, &mask, SFD_NONBLOCK));
	(void)SYS(pipe(ends));
	inner = SYS(epoll_create1(0));
	in_inner = SYS(eventfd(0, EFD_NONBLOCK));
	gone = SYS(eventfd(0, EFD_NONBLOCK));
	add(ep, event, EPOLLIN, base | 1);
	add(ep, timer, EPOLLIN | EPOLLET, base | 2);
	add(ep, signals, EPOLLIN, base | 3);
	add(ep, ends[0], EPOLLIN | EPOLLRDHUP, base | 4);
	add(ep, inner, EPOLLIN, base | 5);
	add(inner, in_inner, EPOLLIN | EPOLLONESHOT, base | 6);
	/* Added under a number that is another file now. */
	add(ep, gone, EPOLLIN, base | 7);
	moved = SYS(fcntl(gone, F_DUPFD, 200));
	(void)SYS(dup2(STDIN_FILENO, gone));
	nothing();
	live_freeze();

	CHECK(fcntl(ep, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	nothing();
	CHECK(write(event, &n, sizeof(n)) == sizeof(n), "write");
	expect(base | 1, EPOLLIN);
	expect(base | 1, EPOLLIN);
	CHECK(read(event, &n, sizeof(n)) == sizeof(n), "read");
	(void)SYS(timerfd_settime(timer, 0, &now, NULL));
	expect(base | 2, EPOLLIN);
	nothing(); /* edges come once */
	(void)SYS(kill(getpid(), SIGUSR1));
	expect(base | 3, EPOLLIN);
	CHECK(read(signals, (char[128]){ 0 }, 128) == 128, "read");
	CHECK(write(ends[1], "x", 1) == 1, "write");
	expect(base | 4, EPOLLIN);
	CHECK(read(ends[0], &byte, 1) == 1, "read");
	n = 1;
	CHECK(write(in_inner, &n, sizeof(n)) == sizeof(n), "write");
	expect(base | 5, EPOLLIN);
	{
		struct epoll_event got;

		CHECK(epoll_wait(inner, &got, 1, 0) == 1 && got.data.u64 == (base | 6), "inner");
		CHECK(epoll_wait(inner, &got, 1, 0) == 0, "it tells more than once");
	}
	nothing();
	CHECK(write(moved, &n, sizeof(n)) == sizeof(n), "write");
	expect(base | 7, EPOLLIN);
	CHECK(read(moved, &n, sizeof(n)) == sizeof(n), "read");
	(void)SYS(epoll_ctl(ep, EPOLL_CTL_DEL, event, NULL));
	(void)SYS(close(ends[1]));
	expect(base | 4, EPOLLHUP);
	live_pass();
}
