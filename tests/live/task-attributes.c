/* Name, dumpable, personality, nice, oom score and huge page switch; a child has others. */
#include "live.h"

#include <sys/personality.h>
#include <sys/resource.h>

static void child(void)
{
	(void)SYS(prctl(PR_SET_NAME, "other \xc3\xa4 )"));
	(void)SYS(prctl(PR_SET_DUMPABLE, 0));
	live_wait();
	char name[17] = "";

	(void)SYS(prctl(PR_GET_NAME, name));
	CHECK(strcmp(name, "other \xc3\xa4 )") == 0, "the child's name is '%s'", name);
	CHECK(prctl(PR_GET_DUMPABLE) == 0, "the child is dumpable");
}

int main(void)
{
	char name[17] = "";
	pid_t pid;

	(void)SYS(prctl(PR_SET_NAME, "fifteen letters"));
	(void)SYS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	(void)SYS(personality(ADDR_NO_RANDOMIZE | UNAME26));
	pid = live_fork(child);
	(void)SYS(setpriority(PRIO_PROCESS, 0, 7));
	FILE *file = fopen("/proc/self/oom_score_adj", "we");

	CHECK(file && fprintf(file, "321") == 3 && fclose(file) == 0, "oom_score_adj: %s",
	      strerror(errno));
	live_freeze();
	(void)SYS(prctl(PR_GET_NAME, name));
	CHECK(strcmp(name, "fifteen letters") == 0, "the name is '%s'", name);
	CHECK(prctl(PR_GET_DUMPABLE) == 1, "dumpable is %d", prctl(PR_GET_DUMPABLE));
	CHECK(personality(0xffffffff) == (ADDR_NO_RANDOMIZE | UNAME26), "personality is %#x",
	      (unsigned int)personality(0xffffffff));
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "the huge page switch is lost");
	CHECK(getpriority(PRIO_PROCESS, 0) == 7, "nice is %d", getpriority(PRIO_PROCESS, 0));
	CHECK(atoi(live_proc(getpid(), "oom_score_adj", "")) == 321, "oom_score_adj is %s",
	      live_proc(getpid(), "oom_score_adj", ""));
	live_reap(pid);
	live_pass();
}
