/* no_new_privs is set in the child and not in the parent. */
#include "live.h"

static void child(void)
{
	(void)SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	live_wait();
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs is lost");
}

int main(void)
{
	pid_t pid = live_fork(child);

	live_freeze();
	live_reap(pid);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, "no_new_privs has appeared");
	live_pass();
}
