/* A process group and a session whose leader is gone live on in their members. */
#include "live.h"

static int told[2];

static void member(void)
{
	pid_t group = getpgrp(), session = getsid(0);
	char c = 'm';

	CHECK(write(told[1], &c, 1) == 1, "write");
	live_wait();
	CHECK(getpgrp() == group && getsid(0) == session, "group %d session %d became %d %d", group,
	      session, getpgrp(), getsid(0));
	CHECK(kill(-group, 0) == 0, "the group can't be signalled");
	CHECK(write(told[1], "d", 1) == 1, "write");
}

static void leader(void)
{
	(void)SYS(setsid());
	(void)live_fork(member);
	/* Leaves the member behind. */
}

int main(void)
{
	pid_t pid;
	char c = 0;
	int status;

	(void)SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
	(void)SYS(pipe2(told, O_CLOEXEC));
	pid = live_fork(leader);
	live_reap(pid);
	CHECK(read(told[0], &c, 1) == 1 && c == 'm', "read");
	live_freeze();
	CHECK(read(told[0], &c, 1) == 1 && c == 'd', "the member is gone");
	CHECK(wait(&status) > 0 && status == 0, "the member failed: %#x", (unsigned int)status);
	live_pass();
}
