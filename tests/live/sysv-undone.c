/*
 * Semaphores that were taken and given back with SEM_UNDO: nothing is owed, in either direction,
 * and their values of all sizes are as they were after a dump that had to find that out.
 */
#include "live.h"

#include <sys/ipc.h>
#include <sys/sem.h>

static const int start[] = { 0, 1, 32766, 32767, 100 };
#define N ((int)(sizeof(start) / sizeof(start[0])))

int main(void)
{
	int sems = SYS(semget(IPC_PRIVATE, N, IPC_CREAT | 0600));

	for (int i = 0; i < N; i++) {
		struct sembuf there = { (unsigned short)i, (short)(start[i] > 100 ? -1 : 1),
					SEM_UNDO };
		struct sembuf back = { there.sem_num, (short)-there.sem_op, SEM_UNDO };

		(void)SYS(semctl(sems, i, SETVAL, start[i]));
		(void)SYS(semop(sems, &there, 1));
		(void)SYS(semop(sems, &back, 1));
	}
	live_freeze();
	for (int i = 0; i < N; i++)
		CHECK(semctl(sems, i, GETVAL) == start[i], "semaphore %d is %d", i,
		      semctl(sems, i, GETVAL));
	(void)SYS(semctl(sems, 0, IPC_RMID));
	live_pass();
}
