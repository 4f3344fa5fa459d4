/* What an epoll instance watches was closed here and lives on elsewhere: that can't be told. */
#include "live.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static int event;

static void child(void)
{
	uint64_t n = 1;

	live_wait();
	if (write(event, &n, sizeof(n)) != sizeof(n))
		_exit(1);
}

int main(void)
{
	struct epoll_event add = { .events = EPOLLIN, .data.u32 = 1 }, got;
	int ep = SYS(epoll_create1(EPOLL_CLOEXEC));
	pid_t pid;

	event = SYS(eventfd(0, EFD_NONBLOCK));
	(void)SYS(epoll_ctl(ep, EPOLL_CTL_ADD, event, &add));
	pid = live_fork(child);
	(void)SYS(close(event));
	live_freeze();
	live_reap(pid);
	CHECK(epoll_wait(ep, &got, 1, 0) <= 1, "epoll_wait");
	live_pass();
}
