/*
 * System V message queues and semaphores: ids, keys, owners, rights, limits; messages of several
 * types, an empty one and one of odd size, in a full queue; values of many semaphores.
 */
#include "live.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#define KEY 0x43727900
#define SEMS 300

struct message {
	long type;
	char text[100];
};

static void put(int queue, long type, const char *text, size_t len)
{
	struct message m = { .type = type };

	memcpy(m.text, text, len);
	(void)SYS(msgsnd(queue, &m, len, 0));
}

static void get(int queue, long which, long type, const char *text, size_t len)
{
	struct message m;
	ssize_t n = SYS(msgrcv(queue, &m, sizeof(m.text), which, IPC_NOWAIT));

	CHECK((size_t)n == len && m.type == type && memcmp(m.text, text, len) == 0,
	      "a message of type %ld, %zd bytes, instead of type %ld, %zu bytes", m.type, n, type,
	      len);
}

int main(void)
{
	unsigned short values[SEMS];
	int before = SYS(msgget(IPC_PRIVATE, 0600));
	struct semid_ds sd;
	struct msqid_ds md;
	int queue, empty, sems, lone;

	queue = SYS(msgget(KEY, IPC_CREAT | 0620));
	(void)SYS(msgctl(before, IPC_RMID, NULL));
	empty = SYS(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	put(queue, 5, "five", 4);
	put(queue, 1, "", 0);
	put(queue, 5, "five again", 10);
	put(queue, 0x123456789abcdefL, "odd", 3);
	(void)SYS(msgctl(queue, IPC_STAT, &md));
	md.msg_perm.uid = 21;
	md.msg_qbytes = 10; /* less than is in it */
	(void)SYS(msgctl(queue, IPC_SET, &md));
	sems = SYS(semget(KEY, SEMS, IPC_CREAT | 0604));
	lone = SYS(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
	for (int i = 0; i < SEMS; i++)
		values[i] = (unsigned short)(i * 109 % 32768);
	(void)SYS(semctl(sems, 0, SETALL, values));
	(void)SYS(semctl(sems, 0, IPC_STAT, &sd));
	sd.sem_perm.gid = 31;
	(void)SYS(semctl(sems, 0, IPC_SET, &sd));
	(void)SYS(semctl(lone, 0, SETVAL, 32767));
	live_freeze();

	CHECK(msgget(KEY, 0) == queue && semget(KEY, 0, 0) == sems, "other ids");
	(void)SYS(msgctl(queue, IPC_STAT, &md));
	CHECK(md.msg_qnum == 4 && md.msg_qbytes == 10 && md.msg_perm.uid == 21 &&
		      md.msg_perm.mode == 0620,
	      "queue: %lu messages, %lu bytes, owner %u, mode %o", md.msg_qnum, md.msg_qbytes,
	      md.msg_perm.uid, md.msg_perm.mode);
	get(queue, 5, 5, "five", 4);
	get(queue, 0, 1, "", 0);
	get(queue, 0, 5, "five again", 10);
	get(queue, 0, 0x123456789abcdefL, "odd", 3);
	(void)SYS(msgctl(empty, IPC_STAT, &md));
	CHECK(md.msg_qnum == 0 && md.msg_qbytes == 16384, "the empty queue");
	(void)SYS(semctl(sems, 0, IPC_STAT, &sd));
	CHECK(sd.sem_nsems == SEMS && sd.sem_perm.gid == 31 && sd.sem_perm.mode == 0604,
	      "semaphores: %lu, group %u, mode %o", sd.sem_nsems, sd.sem_perm.gid,
	      sd.sem_perm.mode);
	memset(values, 0, sizeof(values));
	(void)SYS(semctl(sems, 0, GETALL, values));
	for (int i = 0; i < SEMS; i++)
		CHECK(values[i] == i * 109 % 32768, "semaphore %d is %u", i, values[i]);
	CHECK(semctl(lone, 0, GETVAL) == 32767, "the lone one is %d", semctl(lone, 0, GETVAL));
	live_pass();
}
