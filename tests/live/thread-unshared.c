/* A thread that has taken its working folder away from its process. */
#include "live.h"

#include <pthread.h>
#include <semaphore.h>

static sem_t there, go;

static void *alone(void *arg)
{
	(void)SYS(unshare(CLONE_FS));
	(void)SYS(chdir("/proc"));
	(void)sem_post(&there);
	(void)sem_wait(&go);
	return arg;
}

int main(void)
{
	pthread_t thread;

	CHECK(sem_init(&there, 0, 0) == 0 && sem_init(&go, 0, 0) == 0, "semaphores");
	CHECK(pthread_create(&thread, NULL, alone, NULL) == 0, "a thread");
	(void)sem_wait(&there);
	live_freeze();
	(void)sem_post(&go);
	CHECK(pthread_join(thread, NULL) == 0, "join");
	live_pass();
}
