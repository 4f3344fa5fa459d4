/* A pidfd of a process that is not in the tree is refused. */
#include "live.h"

int main(void)
{
	(void)SYS(syscall(SYS_pidfd_open, getppid(), 0));
	live_freeze();
	live_pass();
}
