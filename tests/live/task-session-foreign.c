/* A child whose session and group are led by its sibling; a group whose leader alone is gone. */
#include "live.h"

static int told[2];

static void report(char c)
{
	CHECK(write(told[1], &c, 1) == 1, "write");
}

/* Orphaned in the leader's session, it falls to main. */
static void foreigner(void)
{
	pid_t group = getpgrp(), session = getsid(0);

	report('f');
	live_wait();
	CHECK(getpgrp() == group && getsid(0) == session, "group %d session %d became %d %d", group,
	      session, getpgrp(), getsid(0));
	report('d');
}

static void carrier(void)
{
	(void)live_fork(foreigner);
}

/* Begins a group, leaves a member in it, and is gone. */
static void group_leader(void)
{
	(void)SYS(setpgid(0, 0));
	(void)live_fork(foreigner);
}

static void leader(void)
{
	(void)SYS(setsid());
	live_reap(live_fork(carrier));
	live_reap(live_fork(group_leader));
	report('l');
	live_wait();
	report('d');
}

int main(void)
{
	int status;
	char c;

	(void)SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
	(void)SYS(pipe2(told, O_CLOEXEC));
	(void)live_fork(leader);
	for (int i = 0; i < 3; i++)
		CHECK(read(told[0], &c, 1) == 1, "read");
	live_freeze();
	for (int i = 0; i < 3; i++) {
		CHECK(read(told[0], &c, 1) == 1 && c == 'd', "one is gone");
		CHECK(wait(&status) > 0 && status == 0, "one failed: %#x", (unsigned int)status);
	}
	live_pass();
}
