#include "runtime/cgroup-warm.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"

/* Where every system has it: the lock is one for all hierarchies. */
static bool find_own_group(char *path, size_t size)
{
	cleanup_cgroupfs struct cgroupfs all = CGROUPFS_INIT;
	const struct cgroup_hierarchy *h;
	int n;

	if (cgroupfs_load(&all, NULL) < 0 || all.n == 0)
		return false;
	h = &all.hierarchies[all.n - 1]; /* the last line is v2 where there is one */
	n = snprintf(path, size, "%s%s/cgroup.procs", h->mountpoint, h->own);
	return n > 0 && (size_t)n < size;
}

static void move_to_same_group_child(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, "0", 1); /* see the header: only time is lost */
	_exit(0);
}

void cgroup_warm_begin(struct cgroup_warm *warm)
{
	/* No exit signal: the helper's end is no news to whoever waits for children. */
	struct clone_args args = { .flags = 0 };
	char path[PATH_MAX];
	long pid;

	if (!find_own_group(path, sizeof(path)))
		return;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		move_to_same_group_child(path);
	warm->helper = pid > 0 ? (pid_t)pid : 0;
}

void cgroup_warm_end(struct cgroup_warm *warm)
{
	int saved = errno;

	while (warm->helper > 0 && waitpid(warm->helper, NULL, __WALL) < 0 && errno == EINTR)
		;
	warm->helper = 0;
	errno = saved;
}
