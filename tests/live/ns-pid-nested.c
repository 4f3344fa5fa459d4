/* A child in a PID namespace of its own has two ids; the images have room for one. */
#include "live.h"

int main(void)
{
	pid_t pid;

	(void)SYS(unshare(CLONE_NEWPID));
	pid = live_fork(live_wait);
	live_freeze();
	live_reap(pid);
	live_pass();
}
