/* A tree of tasks with their ids, parents, groups and sessions. */
#include "live.h"

static int depth, born[2];
static pid_t my_pid, my_parent, my_group, my_session;

static void remember(void)
{
	my_pid = getpid();
	my_parent = getppid();
	my_group = getpgrp();
	my_session = getsid(0);
}

static void judge(void)
{
	CHECK(getpid() == my_pid && gettid() == my_pid, "pid %d became %d", my_pid, getpid());
	CHECK(getppid() == my_parent, "task %d: parent %d became %d", my_pid, my_parent, getppid());
	CHECK(getpgrp() == my_group, "task %d: group %d became %d", my_pid, my_group, getpgrp());
	CHECK(getsid(0) == my_session, "task %d: session %d became %d", my_pid, my_session,
	      getsid(0));
}

static void branch(void)
{
	pid_t child[2];
	int n = 0;

	depth++;
	if (depth == 2)
		(void)SYS(setsid());
	if (depth == 3)
		(void)SYS(setpgid(0, 0));
	remember();
	if (depth < 5)
		for (; n < 2; n++)
			child[n] = live_fork(branch);
	CHECK(write(born[1], "b", 1) == 1, "write");
	live_wait();
	judge();
	while (n > 0)
		live_reap(child[--n]);
}

int main(void)
{
	pid_t child;
	char c;

	(void)SYS(pipe2(born, O_CLOEXEC));
	child = live_fork(branch);
	remember();
	for (int i = 0; i < 31; i++)
		CHECK(read(born[0], &c, 1) == 1, "read");
	live_freeze();
	CHECK(getpid() == my_pid && getpgrp() == my_group && getsid(0) == my_session,
	      "the root changed");
	live_reap(child);
	live_pass();
}
