/* Capabilities in a user namespace: all of them for its root, few for a child; and they work. */
#include "live.h"

#include <linux/capability.h>
#include <sys/mount.h>

static void child(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct few[2] = { { .effective = 1 << CAP_NET_BIND_SERVICE,
						   .permitted = 1 << CAP_NET_BIND_SERVICE |
								1 << CAP_KILL } };
	struct __user_cap_data_struct now[2];

	(void)SYS(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
	(void)SYS(syscall(SYS_capset, &head, few));
	live_wait();
	(void)SYS(syscall(SYS_capget, &head, now));
	CHECK(now[0].effective == few[0].effective && now[0].permitted == few[0].permitted &&
		      now[1].permitted == 0,
	      "capabilities are %x %x", now[0].effective, now[0].permitted);
	CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_TIME) == 0, "CAP_SYS_TIME is bound no more");
	CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 1,
	      "CAP_SYS_ADMIN is gone from the bounding set");
}

int main(void)
{
	char was[64];
	pid_t pid = live_fork(child);

	while (!strstr(live_proc(pid, "status", "CapPrm:"), "420"))
		live_pause_ms(2);
	live_copy(was, sizeof(was), live_proc(getpid(), "status", "CapEff:"));
	live_freeze();
	CHECK(!strcmp(was, live_proc(getpid(), "status", "CapEff:")), "CapEff was %s", was);
	(void)SYS(sethostname("inside", 6));
	(void)SYS(mkdir("/tmp/new", 0755));
	(void)SYS(mount("live", "/tmp/new", "tmpfs", 0, NULL));
	(void)SYS(unshare(CLONE_NEWIPC));
	live_reap(pid);
	live_pass();
}
