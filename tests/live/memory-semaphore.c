/*
 * POSIX semaphores and process-shared locks, in shared memory: a child sleeps in one, values and
 * a held lock stay.
 */
#include "live.h"

#include <pthread.h>
#include <semaphore.h>

static struct shared {
	sem_t wake;
	sem_t counted;
	pthread_mutex_t lock;
	int child_has_it;
} * s;

static void child(void)
{
	(void)SYS(sem_wait(&s->wake));
	if (pthread_mutex_lock(&s->lock) != 0)
		_exit(1);
	s->child_has_it = 1;
	(void)pthread_mutex_unlock(&s->lock);
}

int main(void)
{
	pthread_mutexattr_t attr;
	int value = -1;
	pid_t pid;

	s = SYS(mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	(void)SYS(sem_init(&s->wake, 1, 0));
	(void)SYS(sem_init(&s->counted, 1, 7));
	(void)pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	CHECK(pthread_mutex_init(&s->lock, &attr) == 0 && pthread_mutex_lock(&s->lock) == 0,
	      "lock");
	pid = live_fork(child);
	live_wait_blocked(pid, SYS_futex);
	live_freeze();

	CHECK(waitpid(pid, NULL, WNOHANG) == 0, "the child woke up");
	(void)SYS(sem_getvalue(&s->counted, &value));
	CHECK(value == 7, "the semaphore is %d", value);
	(void)SYS(sem_post(&s->wake));
	live_wait_blocked(pid, SYS_futex);
	CHECK(s->child_has_it == 0, "the child has the lock");
	CHECK(pthread_mutex_unlock(&s->lock) == 0, "unlock");
	live_reap(pid);
	CHECK(s->child_has_it == 1, "the child did not get the lock");
	live_pass();
}
