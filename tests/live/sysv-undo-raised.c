/* A semaphore that was raised, to be lowered at the end of a task: refused, and it goes on. */
#include "live.h"

#include <sys/ipc.h>
#include <sys/sem.h>

static int sems;

static void child(void)
{
	struct sembuf raise = { 71, 1, SEM_UNDO };

	(void)SYS(semop(sems, &raise, 1));
	live_wait();
}

int main(void)
{
	unsigned short values[100] = { 0 };
	struct timespec limit = { .tv_sec = 5 };
	struct sembuf zero = { 71, 0, 0 };
	pid_t pid;

	sems = SYS(semget(IPC_PRIVATE, 100, IPC_CREAT | 0600));
	values[71] = 0;
	(void)SYS(semctl(sems, 0, SETALL, values));
	pid = live_fork(child);
	while (semctl(sems, 71, GETVAL) != 1)
		live_pause_ms(1);
	live_freeze();

	live_reap(pid);
	CHECK(semtimedop(sems, &zero, 1, &limit) == 0, "the child has not lowered it");
	for (int i = 0; i < 100; i++)
		CHECK(semctl(sems, i, GETVAL) == 0, "semaphore %d is %d", i,
		      semctl(sems, i, GETVAL));
	(void)SYS(semctl(sems, 0, IPC_RMID));
	live_pass();
}
