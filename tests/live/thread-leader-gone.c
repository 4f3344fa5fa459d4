/* A process whose first thread has ended while others go on can't be asked anything. */
#include "live.h"

#include <pthread.h>

static pid_t first;

static void *other(void *arg)
{
	while (*live_proc(first, "status", "State:\t") != 'Z')
		live_pause_ms(1);
	live_freeze();
	live_pass();
	return arg;
}

int main(void)
{
	pthread_t thread;

	first = getpid();
	CHECK(pthread_create(&thread, NULL, other, NULL) == 0, "a thread");
	pthread_exit(NULL);
}
