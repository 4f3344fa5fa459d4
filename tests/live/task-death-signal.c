/* The parent-death signal: asked for, and sent when the parent dies. The reaper gets the orphan. */
#include "live.h"

static int told[2];
static volatile sig_atomic_t got;

static void on_death(int sig)
{
	got = sig;
}

static void grandchild(void)
{
	struct sigaction action = { .sa_handler = on_death };
	int sig = 0;
	sigset_t block, none;

	(void)sigemptyset(&none);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGUSR1);
	(void)SYS(sigprocmask(SIG_BLOCK, &block, NULL));
	(void)SYS(sigaction(SIGUSR1, &action, NULL));
	(void)SYS(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	CHECK(write(told[1], "r", 1) == 1, "write");
	live_wait();
	(void)SYS(prctl(PR_GET_PDEATHSIG, &sig));
	CHECK(sig == SIGUSR1, "the death signal is %d", sig);
	while (!got)
		(void)sigsuspend(&none);
}

static void child(void)
{
	(void)live_fork(grandchild);
	live_wait();
}

int main(void)
{
	pid_t pid;
	char c;
	int status = 0, reaper = 0;

	(void)SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
	(void)SYS(pipe2(told, O_CLOEXEC));
	pid = live_fork(child);
	CHECK(read(told[0], &c, 1) == 1, "read");
	live_freeze();
	(void)SYS(prctl(PR_GET_CHILD_SUBREAPER, &reaper));
	CHECK(reaper == 1, "no longer a subreaper");
	live_reap(pid);
	CHECK(wait(&status) > 0, "the orphan did not come to its reaper: %s", strerror(errno));
	CHECK(status == 0, "the orphan ended with %#x", (unsigned int)status);
	live_pass();
}
