/* A System V segment of huge pages, attached by two tasks, of which the last page was never
 * touched. */
#include "live.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#define HUGE ((size_t)2 << 20)

static unsigned char *memory;

static void child(void)
{
	live_wait();
	while (__atomic_load_n(&memory[0], __ATOMIC_SEQ_CST) != 'P')
		live_pause_ms(1);
	__atomic_store_n(&memory[1], 'C', __ATOMIC_SEQ_CST);
}

int main(void)
{
	int id = SYS(shmget(0x43727901, 3 * HUGE, IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0600));
	pid_t pid;

	memory = SYS(shmat(id, NULL, 0));
	memset(memory + HUGE, 'h', HUGE);
	pid = live_fork(child);
	live_freeze();

	for (size_t i = 0; i < HUGE; i += 997)
		CHECK(memory[HUGE + i] == 'h', "byte %zu", i);
	CHECK(memory[2 * HUGE] == 0, "the last page");
	__atomic_store_n(&memory[0], 'P', __ATOMIC_SEQ_CST);
	live_reap(pid);
	CHECK(memory[1] == 'C', "the child's byte");
	(void)SYS(shmctl(id, IPC_RMID, NULL));
	live_pass();
}
