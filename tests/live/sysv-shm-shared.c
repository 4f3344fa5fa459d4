/* System V shared memory of a namespace that is not the tree's own: refused, and it goes on. */
#include "live.h"

#include <sys/ipc.h>
#include <sys/shm.h>

int main(void)
{
	int id = SYS(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
	char *memory = SYS(shmat(id, NULL, 0));

	(void)SYS(shmctl(id, IPC_RMID, NULL));
	memcpy(memory, "shared", 7);
	live_freeze();
	CHECK(strcmp(memory, "shared") == 0, "it changed");
	live_pass();
}
