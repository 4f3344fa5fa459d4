/* A child stopped by job control stays stopped, and SIGCONT wakes it. */
#include "live.h"

static void child(void)
{
	live_wait();
}

static char state_of(pid_t pid)
{
	return *live_proc(pid, "status", "State:\t");
}

int main(void)
{
	pid_t pid = live_fork(child);
	int status = 0;

	(void)SYS(kill(pid, SIGSTOP));
	CHECK(waitpid(pid, &status, WUNTRACED) == pid, "waitpid: %s", strerror(errno));
	live_freeze();
	live_pause_ms(50); /* a child that runs has time to show it */
	CHECK(state_of(pid) == 'T', "the child's state is %c", state_of(pid));
	(void)SYS(kill(pid, SIGCONT));
	live_reap(pid);
	live_pass();
}
