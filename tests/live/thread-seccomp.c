/* Filters of threads: one that all share, one that a thread has of its own; and more for all. */
#include "live.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>

#define N 3

static sem_t there, go, again;
static bool judged[N];

/* Lets all pass but one call, which gives that error. */
static void forbid(unsigned int nr, unsigned int error, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = code };

	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0, "seccomp: %s",
	      strerror(errno));
}

static int error_of(long nr)
{
	errno = 0;
	(void)syscall(nr, -1, -1, -1);
	return errno;
}

static void *body(void *arg)
{
	bool *mine = arg;

	if (mine == &judged[1])
		forbid(SYS_getppid, 77, 0);
	(void)sem_post(&there);
	(void)sem_wait(&go);
	CHECK(error_of(SYS_getsid) == 78, "the shared filter is lost");
	CHECK(error_of(SYS_getppid) == (mine == &judged[1] ? 77 : 0),
	      "thread %td: getppid: error %d", mine - judged, errno);
	*mine = true;
	(void)sem_post(&there);
	if (mine == &judged[1])
		return NULL;
	(void)sem_wait(&again);
	CHECK(error_of(SYS_getpgid) == 79, "the new filter is not for all");
	return NULL;
}

int main(void)
{
	pthread_t threads[N];

	CHECK(sem_init(&there, 0, 0) == 0 && sem_init(&go, 0, 0) == 0 &&
		      sem_init(&again, 0, 0) == 0,
	      "semaphores");
	forbid(SYS_getsid, 78, 0);
	for (int i = 0; i < N; i++)
		CHECK(pthread_create(&threads[i], NULL, body, &judged[i]) == 0, "a thread");
	for (int i = 0; i < N; i++)
		(void)sem_wait(&there);
	live_freeze();
	for (int i = 0; i < N; i++)
		(void)sem_post(&go);
	for (int i = 0; i < N; i++)
		(void)sem_wait(&there);
	CHECK(pthread_join(threads[1], NULL) == 0, "the thread with a filter of its own");
	/* Only while they all share what they have may one be added to all. */
	forbid(SYS_getpgid, 79, SECCOMP_FILTER_FLAG_TSYNC);
	(void)sem_post(&again);
	(void)sem_post(&again);
	CHECK(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[2], NULL) == 0, "join");
	CHECK(error_of(SYS_getsid) == 78, "the shared filter is lost");
	live_pass();
}
