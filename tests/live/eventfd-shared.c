/* An eventfd that parent and child share is one object afterwards, too. */
#include "live.h"

#include <sys/eventfd.h>

static int there;
static int back;

static void child(void)
{
	uint64_t n = 0;

	live_wait();
	if (read(there, &n, sizeof(n)) != sizeof(n) || n != 42)
		_exit(1);
	n = 43;
	if (write(back, &n, sizeof(n)) != sizeof(n))
		_exit(2);
}

int main(void)
{
	uint64_t n = 42;
	pid_t pid;

	there = SYS(eventfd(0, 0));
	back = SYS(eventfd(0, 0));
	pid = live_fork(child);
	live_freeze();
	CHECK(write(there, &n, sizeof(n)) == sizeof(n), "write");
	CHECK(read(back, &n, sizeof(n)) == sizeof(n) && n == 43, "the answer is %llu",
	      (unsigned long long)n);
	live_reap(pid);
	live_pass();
}
