/* Scheduling policies, priorities and the processors a task may use. */
#include "live.h"

#include <sys/resource.h>

static int policy, priority;

static void child(void)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	(void)SYS(sched_setaffinity(0, sizeof(cpus), &cpus));
	(void)SYS(sched_setscheduler(0, policy, &param));
	(void)SYS(setpriority(PRIO_PROCESS, 0, 3));
	live_wait();
	CHECK(sched_getscheduler(0) == policy, "policy %d became %d", policy,
	      sched_getscheduler(0));
	(void)SYS(sched_getparam(0, &param));
	CHECK(param.sched_priority == priority, "policy %d: priority %d became %d", policy,
	      priority, param.sched_priority);
	CHECK(getpriority(PRIO_PROCESS, 0) == 3, "policy %d: nice became %d", policy,
	      getpriority(PRIO_PROCESS, 0));
}

int main(void)
{
	static const struct {
		int policy, priority;
	} all[] = { { SCHED_OTHER, 0 },
		    { SCHED_BATCH, 0 },
		    { SCHED_IDLE, 0 },
		    { SCHED_RR, 5 },
		    { SCHED_FIFO, 2 } };
	pid_t pid[5];

	for (int i = 0; i < 5; i++) {
		policy = all[i].policy;
		priority = all[i].priority;
		pid[i] = live_fork(child);
		while (sched_getscheduler(pid[i]) != policy ||
		       getpriority(PRIO_PROCESS, (id_t)pid[i]) != 3)
			live_pause_ms(1);
	}
	live_freeze();
	for (int i = 0; i < 5; i++)
		live_reap(pid[i]);
	live_pass();
}
