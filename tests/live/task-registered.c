/* What a thread registered with the kernel: rseq area, robust list, address of its id. */
#include "live.h"

#include <linux/futex.h>
#include <sys/rseq.h>

static uint32_t *child_tid;

static void child(void)
{
	(void)syscall(SYS_set_tid_address, child_tid);
	live_wait();
	/* The kernel must write 0 there and wake the waiter when we end: the parent looks. */
}

int main(void)
{
	void *head = NULL, *head_now = NULL;
	size_t len = 0, len_now = 0;
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	pid_t pid;

	child_tid =
		SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	pid = live_fork(child);
	(void)SYS((int)syscall(SYS_get_robust_list, 0, &head, &len));
	live_freeze();
	(void)SYS((int)syscall(SYS_get_robust_list, 0, &head_now, &len_now));
	CHECK(head == head_now && len == len_now, "robust list %p/%zu became %p/%zu", head, len,
	      head_now, len_now);
	if (__rseq_size > 0) {
		/* Registered: asking again for the same says EBUSY, for another EINVAL. */
		CHECK(syscall(SYS_rseq, area, 32, 0, 0x53053053) < 0 && errno == EBUSY,
		      "rseq is lost: %s", strerror(errno));
		(void)sched_yield();
		CHECK(area->cpu_id < 4096, "the kernel no longer keeps rseq's cpu: %u",
		      area->cpu_id);
	}
	live_reap(pid);
	live_pass();
}
