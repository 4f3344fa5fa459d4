/* A child with host and domain name of its own. */
#include "live.h"

static void child(void)
{
	char name[64];

	(void)SYS(unshare(CLONE_NEWUTS));
	(void)SYS(sethostname("child", 5));
	(void)SYS(setdomainname("of.the.test", 11));
	live_wait();
	(void)SYS(gethostname(name, sizeof(name)));
	CHECK(!strcmp(name, "child"), "the child's host name is '%s'", name);
	(void)SYS(getdomainname(name, sizeof(name)));
	CHECK(!strcmp(name, "of.the.test"), "the child's domain name is '%s'", name);
}

int main(void)
{
	char was[64], now[64], mine[64], its[64], link[64];
	pid_t pid = live_fork(child);

	(void)SYS(gethostname(was, sizeof(was)));
	(void)snprintf(link, sizeof(link), "/proc/%d/ns/uts", pid);
	do {
		live_pause_ms(2);
		(void)SYS(readlink("/proc/self/ns/uts", mine, sizeof(mine)));
		(void)SYS(readlink(link, its, sizeof(its)));
	} while (!strncmp(mine, its, 16));
	live_pause_ms(20); /* it sets its names; if not yet, it does so after the restore */
	live_freeze();
	(void)SYS(gethostname(now, sizeof(now)));
	CHECK(!strcmp(was, now), "the host name is '%s'", now);
	live_reap(pid);
	live_pass();
}
