/* Groups of a task, of its child and of a thread; an empty one below; their settings and modes. */
#include "cgroups.h"

#include <pthread.h>

static const char *name;
static int ready[2];

static void child(void)
{
	cgroup_write("top/child", "tasks", "0");
	CHECK(write(ready[1], "", 1) == 1, "write");
	live_wait();
	CHECK(!strcmp(cgroup_of("self", name), "/top/child"), "the child is in %s",
	      cgroup_of("self", name));
}

static void *thread(void *arg)
{
	(void)arg;
	cgroup_write("top/thread", "tasks", "0");
	CHECK(write(ready[1], "", 1) == 1, "write");
	live_wait();
	CHECK(!strcmp(cgroup_of("thread-self", name), "/top/thread"), "the thread is in %s",
	      cgroup_of("thread-self", name));
	return NULL;
}

int main(void)
{
	char byte, text[64];
	pthread_t second;
	struct stat st;
	pid_t pid;

	/* One name for each run: a hierarchy lives as long as it has groups. */
	(void)snprintf(text, sizeof(text), "live%llu",
		       (unsigned long long)live_now_ns(CLOCK_REALTIME));
	name = text;
	cgroup_mount(name);
	(void)SYS(mkdir(cgroup_path("top", ""), 0711));
	(void)SYS(mkdir(cgroup_path("top/child", ""), 0755));
	(void)SYS(mkdir(cgroup_path("top/thread", ""), 0755));
	(void)SYS(mkdir(cgroup_path("top/empty", ""), 0700));
	cgroup_write("top/empty", "notify_on_release", "1");
	cgroup_write("top", "tasks", "0");
	(void)SYS(pipe(ready));
	pid = live_fork(child);
	CHECK(pthread_create(&second, NULL, thread, NULL) == 0, "thread");
	CHECK(read(ready[0], &byte, 1) == 1 && read(ready[0], &byte, 1) == 1, "read");
	live_freeze();
	CHECK(!strcmp(cgroup_of("self", name), "/top"), "we are in %s", cgroup_of("self", name));
	(void)SYS(stat(cgroup_path("top/empty", ""), &st));
	CHECK((st.st_mode & 0777) == 0700, "the empty group has mode %o", st.st_mode & 0777);
	(void)pthread_join(second, NULL);
	live_reap(pid);
	cgroup_write("", "tasks", "0");
	(void)SYS(rmdir(cgroup_path("top/child", "")));
	(void)SYS(rmdir(cgroup_path("top/thread", "")));
	(void)SYS(rmdir(cgroup_path("top/empty", "")));
	(void)SYS(rmdir(cgroup_path("top", "")));
	cgroup_unmount(name);
	live_pass();
}
