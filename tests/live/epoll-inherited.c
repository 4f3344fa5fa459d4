/* A child sleeps in epoll_wait(2) on an instance it inherited; its parent wakes it. */
#include "live.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static int ep;
static int event;

static void child(void)
{
	struct epoll_event got;
	uint64_t n;

	if (epoll_wait(ep, &got, 1, -1) != 1 || got.data.u32 != 1)
		_exit(2);
	if (read(event, &n, sizeof(n)) != sizeof(n) || n != 9)
		_exit(3);
}

int main(void)
{
	struct epoll_event add = { .events = EPOLLIN, .data.u32 = 1 };
	uint64_t n = 9;
	pid_t pid;

	ep = SYS(epoll_create1(0));
	event = SYS(eventfd(0, EFD_NONBLOCK));
	(void)SYS(epoll_ctl(ep, EPOLL_CTL_ADD, event, &add));
	pid = live_fork(child);
	live_wait_blocked(pid, SYS_epoll_wait);
	live_freeze();
	CHECK(write(event, &n, sizeof(n)) == sizeof(n), "write");
	live_reap(pid);
	live_pass();
}
