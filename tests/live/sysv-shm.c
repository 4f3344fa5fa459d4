/*
 * System V shared memory: ids, keys, owners, creators, rights and content; attached whole and
 * read-only, by two tasks, with a hole and a protected part; one removed while attached, one
 * attached nowhere, one id that was used before.
 */
#include "live.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#define KEY 0x43727900
#define SIZE (8 * 4096 + 100)

static unsigned char *whole;
static unsigned char *gone;

static void child(void)
{
	live_wait();
	while (__atomic_load_n(&gone[0], __ATOMIC_SEQ_CST) != 'P')
		live_pause_ms(1);
	if (whole[4096] != 'w')
		_exit(1);
	whole[1] = 'C';
	__atomic_store_n(&gone[1], 'C', __ATOMIC_SEQ_CST);
}

static struct shmid_ds look(int id)
{
	struct shmid_ds ds;

	(void)SYS(shmctl(id, IPC_STAT, &ds));
	return ds;
}

int main(void)
{
	int first = SYS(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
	int id, lonely, removed;
	const unsigned char *looking;
	unsigned char *holed;
	struct shmid_ds ds;
	pid_t pid;

	(void)SYS(shmctl(first, IPC_RMID, NULL));
	id = SYS(shmget(KEY, SIZE, IPC_CREAT | IPC_EXCL | 0640));
	CHECK(id != first, "the id is used again at once");
	removed = SYS(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
	(void)SYS(syscall(SYS_setresuid, -1, 11, -1));
	lonely = SYS(shmget(KEY + 1, 3 * 4096, IPC_CREAT | 0606));
	(void)SYS(syscall(SYS_setresuid, -1, 0, -1));
	ds = look(lonely);
	ds.shm_perm.uid = 12;
	ds.shm_perm.gid = 13;
	(void)SYS(shmctl(lonely, IPC_SET, &ds));
	holed = SYS(shmat(lonely, NULL, 0));
	memcpy(holed + 2 * 4096 + 5, "lonely", 7);
	(void)SYS(shmdt(holed));

	whole = SYS(shmat(id, NULL, 0));
	looking = SYS(shmat(id, NULL, SHM_RDONLY));
	holed = SYS(shmat(id, NULL, 0));
	(void)SYS(munmap(holed + 2 * 4096, 2 * 4096));
	(void)SYS(mprotect(holed + 5 * 4096, 4096, PROT_NONE));
	/* Something else lies in the hole. */
	holed[2 * 4096 - 1] = 'b';
	CHECK(mmap(holed + 2 * 4096, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == holed + 2 * 4096,
	      "map");
	memcpy(holed + 2 * 4096, "in the hole", 12);
	gone = SYS(shmat(removed, NULL, 0));
	whole[0] = '0';
	whole[4096] = 'w';
	whole[SIZE - 1] = 'e';
	(void)SYS(shmctl(removed, IPC_RMID, NULL));
	pid = live_fork(child);
	live_freeze();

	ds = look(id);
	CHECK(ds.shm_perm.__key == KEY && (ds.shm_perm.mode & 0777) == 0640 && ds.shm_segsz == SIZE,
	      "segment %d: key %#x, mode %o, %zu bytes", id, ds.shm_perm.__key, ds.shm_perm.mode,
	      ds.shm_segsz);
	CHECK(shmget(KEY, 0, 0) == id, "it has another id");
	ds = look(lonely);
	CHECK(ds.shm_perm.uid == 12 && ds.shm_perm.gid == 13 && ds.shm_perm.cuid == 11 &&
		      ds.shm_perm.cgid == 0 && ds.shm_nattch == 0,
	      "segment %d: owner %u, group %u, creator %u, group %u, attached %lu", lonely,
	      ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.cuid, ds.shm_perm.cgid, ds.shm_nattch);
	CHECK(memcmp((char *)SYS(shmat(lonely, NULL, 0)) + 2 * 4096 + 5, "lonely", 7) == 0,
	      "content of the lonely one");
	ds = look(removed);
	CHECK(ds.shm_perm.mode & SHM_DEST && ds.shm_nattch == 2, "mode %o, attached %lu",
	      ds.shm_perm.mode, ds.shm_nattch);
	CHECK(strcmp((char *)holed + 2 * 4096, "in the hole") == 0, "what is in the hole");
	CHECK(holed[2 * 4096 - 1] == 'b' && whole[2 * 4096 - 1] == 'b', "what is before the hole");
	CHECK(looking[SIZE - 1] == 'e' && holed[SIZE - 1] == 'e', "the end");
	__atomic_store_n(&gone[0], 'P', __ATOMIC_SEQ_CST);
	live_reap(pid);
	CHECK(gone[1] == 'C' && looking[1] == 'C' && holed[1] == 'C', "the child's bytes");
	CHECK(mprotect((void *)looking, 4096, PROT_READ | PROT_WRITE) < 0,
	      "the read-only one can be made writable");
	(void)SYS(mprotect(holed + 5 * 4096, 4096, PROT_READ | PROT_WRITE));
	holed[5 * 4096] = 'p';
	CHECK(whole[5 * 4096] == 'p', "the protected part is of another memory");
	(void)SYS(shmdt(gone));
	CHECK(shmctl(removed, IPC_STAT, &ds) < 0, "the removed one stays");
	live_pass();
}
