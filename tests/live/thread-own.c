/* What each thread has of its own: names, masks, stacks, priorities, signals, credentials. */
#include "live.h"

#include <linux/capability.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/fsuid.h>
#include <sys/resource.h>

#define N 6
#define IO_PRIORITY(class, level) ((class) << 13 | (level))
#define OF_THREAD 1 /* IOPRIO_WHO_PROCESS */

static sem_t there, *told;
static pthread_barrier_t go;
static char stacks[N][65536] __attribute__((aligned(64)));

struct robust_list_head heads[N];

static void set_caps(uint32_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = keep, .permitted = keep } };

	(void)SYS((int)syscall(SYS_capset, &head, data));
}

static uint32_t caps(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	(void)SYS((int)syscall(SYS_capget, &head, data));
	return data[0].effective;
}

/* Signals of number i wait for the thread, with values. */
static void set_signals(int i)
{
	sigset_t mask;
	siginfo_t info = { .si_signo = SIGRTMIN + i, .si_code = SI_QUEUE };

	(void)sigfillset(&mask);
	(void)sigdelset(&mask, SIGRTMAX - i);
	CHECK(pthread_sigmask(SIG_SETMASK, &mask, NULL) == 0, "mask");
	for (int n = 0; n <= i; n++) {
		info.si_value.sival_int = 100 * i + n;
		(void)SYS((int)syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGRTMIN + i,
				       &info));
	}
}

static void check_signals(int i)
{
	struct timespec now = { 0 };
	sigset_t mask, all;
	siginfo_t info;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
		CHECK(sigismember(&mask, signal) == (signal != SIGRTMAX - i),
		      "thread %d: signal %d in its mask", i, signal);
	(void)sigfillset(&all);
	for (int n = 0; n <= i; n++) {
		CHECK(sigtimedwait(&all, &info, &now) == SIGRTMIN + i, "thread %d: signal %d", i,
		      n);
		CHECK(info.si_value.sival_int == 100 * i + n && info.si_pid == 0,
		      "thread %d: value %d", i, info.si_value.sival_int);
	}
	CHECK(sigtimedwait(&all, &info, &now) < 0, "thread %d: one signal too many", i);
}

static void set_all(int i)
{
	stack_t stack = { .ss_sp = stacks[i], .ss_size = sizeof(stacks[i]) };
	struct sched_param param = { .sched_priority = i };
	cpu_set_t cpus;
	char name[16];

	CPU_ZERO(&cpus);
	CPU_SET(i % 2, &cpus);
	(void)sched_setaffinity(0, sizeof(cpus), &cpus); /* there may be one only */
	(void)snprintf(name, sizeof(name), "own %d\\\n", i);
	(void)SYS(prctl(PR_SET_NAME, name));
	(void)SYS(sigaltstack(&stack, NULL));
	(void)SYS(setpriority(PRIO_PROCESS, 0, i));
	(void)SYS((int)syscall(SYS_ioprio_set, OF_THREAD, 0, IO_PRIORITY(2, i)));
	(void)SYS(prctl(PR_SET_TIMERSLACK, 1000 + i));
	if (i > 4)
		(void)SYS(sched_setscheduler(0, SCHED_RR, &param));
	heads[i].list.next = &heads[i].list;
	(void)SYS((int)syscall(SYS_set_robust_list, &heads[i], sizeof(heads[i])));
	(void)SYS(prctl(PR_SET_PDEATHSIG, SIGRTMIN + i));
	set_signals(i);
	/* The library would give them to all threads. */
	if (i == 3)
		(void)SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (i == 1 || i == 2)
		(void)SYS((int)syscall(SYS_setresuid, 1000 + i, 2000 + i, 0));
	if (i == 4)
		set_caps(1u << CAP_CHOWN);
}

static void check_all(int i)
{
	struct robust_list_head *head = NULL;
	size_t len = 0;
	cpu_set_t cpus;
	uid_t r, e, s;
	stack_t stack;
	char name[16], want[16];
	int signal = 0;

	(void)SYS(sched_getaffinity(0, sizeof(cpus), &cpus));
	CHECK(CPU_COUNT(&cpus) == 1, "thread %d may use %d processors", i, CPU_COUNT(&cpus));
	(void)SYS(prctl(PR_GET_NAME, name));
	(void)snprintf(want, sizeof(want), "own %d\\\n", i);
	CHECK(strcmp(name, want) == 0, "thread %d is called '%s'", i, name);
	(void)SYS(sigaltstack(NULL, &stack));
	CHECK(stack.ss_sp == stacks[i] && stack.ss_size == sizeof(stacks[i]) && !stack.ss_flags,
	      "thread %d: signal stack %p", i, stack.ss_sp);
	errno = 0;
	CHECK(getpriority(PRIO_PROCESS, 0) == i, "thread %d: nice", i);
	CHECK(syscall(SYS_ioprio_get, OF_THREAD, 0) == IO_PRIORITY(2, i), "thread %d: io priority",
	      i);
	CHECK(i > 4 || prctl(PR_GET_TIMERSLACK) == 1000 + i, "thread %d: timer slack %d", i,
	      prctl(PR_GET_TIMERSLACK));
	CHECK(sched_getscheduler(0) == (i > 4 ? SCHED_RR : SCHED_OTHER), "thread %d: policy", i);
	(void)SYS((int)syscall(SYS_get_robust_list, 0, &head, &len));
	CHECK(head == &heads[i] && len == sizeof(*head), "thread %d: robust list %p", i, head);
	(void)SYS(prctl(PR_GET_PDEATHSIG, &signal));
	CHECK(signal == (i == 1 || i == 2 ? 0 : SIGRTMIN + i), "thread %d: death signal %d", i,
	      signal);
	check_signals(i);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == (i == 3), "thread %d: no_new_privs", i);
	(void)SYS(getresuid(&r, &e, &s));
	CHECK(i == 1 || i == 2 ? r == 1000u + i && e == 2000u + i && s == 0 : !(r || e || s),
	      "thread %d: uids are %u %u %u", i, r, e, s);
	CHECK(i == 4		 ? caps() == 1u << CAP_CHOWN
	      : i == 1 || i == 2 ? !caps()
				 : caps() > 1u,
	      "thread %d: capabilities %#x", i, caps());
}

static void *body(void *arg)
{
	int i = (int)(intptr_t)arg;

	set_all(i);
	(void)sem_post(&there);
	(void)pthread_barrier_wait(&go);
	check_all(i);
	return NULL;
}

static void child(void)
{
	pthread_t threads[N];

	for (int i = 0; i < N; i++) {
		CHECK(pthread_create(&threads[i], NULL, body, (void *)(intptr_t)i) == 0,
		      "a thread");
		(void)sem_wait(&there);
	}
	(void)sem_post(told);
	live_wait();
	(void)pthread_barrier_wait(&go);
	for (int i = 0; i < N; i++)
		CHECK(pthread_join(threads[i], NULL) == 0, "join");
	CHECK(!(geteuid() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)), "the first thread changed");
}

/* In a child: death signals would come when who has restored the root ends. */
int main(void)
{
	pid_t pid;

	told = SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	CHECK(sem_init(told, 1, 0) == 0 && sem_init(&there, 0, 0) == 0 &&
		      pthread_barrier_init(&go, NULL, N + 1) == 0,
	      "init");
	pid = live_fork(child);
	(void)sem_wait(told);
	live_freeze();
	live_reap(pid);
	live_pass();
}
