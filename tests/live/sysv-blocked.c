/* Tasks that sleep in semop, semtimedop, msgrcv and msgsnd go on sleeping, until they are woken. */
#include "live.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

struct message {
	long type;
	char text[64];
};

static int sems, waited, full;

static void in_semop(void)
{
	struct sembuf ops[] = { { 0, -2, 0 }, { 1, 0, 0 } };

	if (syscall(SYS_semop, sems, ops, 2) < 0) /* the C library takes semtimedop */
		_exit(10 + errno % 100);
}

static void in_semtimedop(void)
{
	struct sembuf op = { 2, -1, 0 };
	struct timespec timeout = { .tv_sec = 3600 };

	if (semtimedop(sems, &op, 1, &timeout) < 0)
		_exit(10 + errno % 100);
}

static void in_msgrcv(void)
{
	struct message m;

	if (msgrcv(waited, &m, sizeof(m.text), 7, 0) != 5 || memcmp(m.text, "seven", 5) != 0)
		_exit(1);
}

static void in_msgsnd(void)
{
	struct message m = { .type = 2, .text = "late" };

	if (msgsnd(full, &m, 4, 0) < 0)
		_exit(1);
}

int main(void)
{
	struct message m = { .type = 1, .text = "first" };
	struct sembuf up[] = { { 0, 2, 0 }, { 1, -1, 0 }, { 2, 1, 0 } };
	struct msqid_ds ds;
	pid_t pids[4];

	sems = SYS(semget(IPC_PRIVATE, 3, IPC_CREAT | 0600));
	waited = SYS(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	full = SYS(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	(void)SYS(semctl(sems, 1, SETVAL, 1));
	(void)SYS(msgsnd(full, &m, 5, 0));
	(void)SYS(msgctl(full, IPC_STAT, &ds));
	ds.msg_qbytes = 6;
	(void)SYS(msgctl(full, IPC_SET, &ds));
	pids[0] = live_fork(in_semop);
	pids[1] = live_fork(in_semtimedop);
	pids[2] = live_fork(in_msgrcv);
	pids[3] = live_fork(in_msgsnd);
	live_wait_blocked(pids[0], SYS_semop);
	live_wait_blocked(pids[1], SYS_semtimedop);
	live_wait_blocked(pids[2], SYS_msgrcv);
	live_wait_blocked(pids[3], SYS_msgsnd);
	live_freeze();

	for (int i = 0; i < 4; i++)
		CHECK(waitpid(pids[i], NULL, WNOHANG) == 0, "task %d ended before it was woken", i);
	(void)SYS(semop(sems, up, 3));
	m.type = 7;
	memcpy(m.text, "seven", 5);
	(void)SYS(msgsnd(waited, &m, 5, 0));
	CHECK(msgrcv(full, &m, sizeof(m.text), 0, IPC_NOWAIT) == 5, "the full queue is not full");
	for (int i = 0; i < 4; i++)
		live_reap(pids[i]);
	CHECK(msgrcv(full, &m, sizeof(m.text), 0, IPC_NOWAIT) == 4 &&
		      memcmp(m.text, "late", 4) == 0,
	      "the late message");
	(void)semctl(sems, 0, IPC_RMID);
	(void)msgctl(waited, IPC_RMID, NULL);
	(void)msgctl(full, IPC_RMID, NULL);
	live_pass();
}
