/* A child with an IPC namespace of its own: settings and objects of both. */
#include "live.h"

#include <sys/msg.h>
#include <sys/sem.h>

static void child(void)
{
	int id;

	(void)SYS(unshare(CLONE_NEWIPC));
	id = SYS(msgget(4711, IPC_CREAT | 0600));
	CHECK(kill(getppid(), SIGUSR1) == 0, "kill: %s", strerror(errno));
	live_wait();
	CHECK(msgget(4711, 0) == id, "its object is not there");
	CHECK(semget(4712, 0, 0) < 0, "the parent's object is here");
}

int main(void)
{
	sigset_t usr1;
	pid_t pid;
	int signal, id;

	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)SYS(sigprocmask(SIG_BLOCK, &usr1, NULL));
	id = SYS(semget(4712, 2, IPC_CREAT | 0600));
	pid = live_fork(child);
	CHECK(sigwait(&usr1, &signal) == 0, "sigwait");
	live_freeze();
	CHECK(semget(4712, 2, 0) == id, "its object is not there");
	CHECK(msgget(4711, 0) < 0, "the child's object is here");
	(void)SYS(semctl(id, 0, IPC_RMID));
	live_reap(pid);
	live_pass();
}
