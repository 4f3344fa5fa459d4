/* Two filters, one over the other, still answer as they did; the child has one more. */
#include "live.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/personality.h>

static void deny(unsigned int nr, unsigned int with)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | with),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = code };

	(void)SYS((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static void check(bool third)
{
	CHECK(syscall(SYS_swapoff, "x") < 0 && errno == 91, "first filter: %s", strerror(errno));
	CHECK(syscall(SYS_acct, "x") < 0 && errno == 92, "second filter: %s", strerror(errno));
	CHECK((syscall(SYS_personality, 0xffffffff) < 0 && errno == 93) == third,
	      "third filter of task %d", getpid());
}

static void child(void)
{
	deny(SYS_personality, 93);
	live_wait();
	check(true);
}

int main(void)
{
	pid_t pid;

	(void)SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	deny(SYS_swapoff, 91);
	deny(SYS_acct, 92);
	pid = live_fork(child);
	live_freeze();
	check(false);
	live_reap(pid);
	live_pass();
}
