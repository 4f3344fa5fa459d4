/* Two processes with one table of descriptors. */
#include "live.h"

static char stack[65536] __attribute__((aligned(64)));

static int child(void *arg)
{
	(void)arg;
	live_wait();
	return 0;
}

int main(void)
{
	pid_t pid = SYS(clone(child, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL));

	live_freeze();
	live_reap(pid);
	live_pass();
}
