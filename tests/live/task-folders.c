/* Working folder, umask, and in a child another root folder. */
#include "live.h"

static char path[4096];

static void child(void)
{
	struct stat st;

	(void)SYS(chroot(path));
	(void)SYS(chdir("/deep"));
	(void)umask(0027);
	live_wait();
	CHECK(stat("/deep", &st) == 0 && stat("/proc", &st) < 0, "the root folder is another one");
	CHECK(stat("../deep", &st) == 0, "the working folder is not below the root");
	CHECK(umask(0) == 0027, "the child's umask changed");
}

int main(void)
{
	char deep[4096 + 8], cwd[4096] = "";
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s", live_path("jail"));
	(void)snprintf(deep, sizeof(deep), "%s/deep", path);
	(void)SYS(mkdir(path, 0755));
	(void)SYS(mkdir(deep, 0755));
	(void)SYS(chdir(deep));
	(void)umask(0123);
	pid = live_fork(child);
	live_freeze();
	CHECK(umask(0) == 0123, "the umask changed");
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, deep) == 0,
	      "the working folder is '%s', not '%s'", cwd, deep);
	live_reap(pid);
	live_pass();
}
