/* Blocked signals stay blocked, in a parent and in a child that blocks others. */
#include "live.h"

static sigset_t mine;

static void judge(void)
{
	sigset_t now;

	(void)SYS(sigprocmask(SIG_SETMASK, NULL, &now));
	for (int sig = 1; sig <= 64; sig++)
		if (sig != 32 && sig != 33)
			CHECK(sigismember(&now, sig) == sigismember(&mine, sig),
			      "task %d: signal %d is %sblocked", getpid(), sig,
			      sigismember(&now, sig) ? "" : "not ");
}

static void child(void)
{
	(void)sigfillset(&mine);
	(void)sigdelset(&mine, SIGKILL);
	(void)sigdelset(&mine, SIGSTOP);
	(void)SYS(sigprocmask(SIG_SETMASK, &mine, NULL));
	live_wait();
	judge();
}

int main(void)
{
	pid_t pid = live_fork(child);

	(void)sigemptyset(&mine);
	(void)sigaddset(&mine, SIGTERM);
	(void)sigaddset(&mine, SIGRTMIN + 5);
	(void)SYS(sigprocmask(SIG_SETMASK, &mine, NULL));
	live_freeze();
	judge();
	live_reap(pid);
	live_pass();
}
