/*
 * starter PROGRAM: becomes PROGRAM, in a session of its own with no descriptors but 0, 1, 2.
 * starter PROGRAM ROOT: runs it as init of new pid, mount, uts, ipc and network namespaces on the
 * folder ROOT, and prints its host pid to descriptor 5.
 */
#include "live.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

static void replace_fd(int fd, const char *path, int flags)
{
	int opened = SYS(open(path, flags | O_CLOEXEC));

	(void)SYS(dup2(opened, fd));
	(void)close(opened);
}

static int become(char *program)
{
	char *argv[] = { program, NULL };
	char *env[] = { NULL, NULL };
	static char mark[4096];

	(void)snprintf(mark, sizeof(mark), "TEST_DIR=%s", getenv("TEST_DIR") ?: "");
	env[0] = mark;
	(void)SYS(setsid());
	(void)SYS(close_range(3, ~0U, 0));
	(void)execve(program, argv, env);
	live_fail("exec %s: %s", program, strerror(errno));
}

static void loopback_up(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = SYS(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	(void)SYS(ioctl(fd, SIOCSIFFLAGS, &up));
	(void)close(fd);
}

static int init_child(const char *root, char *program)
{
	loopback_up();
	(void)SYS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	(void)SYS(mount(root, root, NULL, MS_BIND, NULL));
	(void)SYS(chdir(root));
	(void)SYS(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	(void)SYS(syscall(SYS_pivot_root, ".", "."));
	(void)SYS(umount2(".", MNT_DETACH));
	(void)SYS(chdir("/"));
	/* Files of the root, opened on its own mount: nothing of ours comes from outside. */
	replace_fd(STDIN_FILENO, "/in", O_RDONLY);
	replace_fd(STDOUT_FILENO, "/out", O_WRONLY | O_APPEND);
	(void)SYS(dup2(STDOUT_FILENO, STDERR_FILENO));
	return become(program);
}

int main(int argc, char **argv)
{
	char text[16];
	pid_t pid;
	int n;

	if (argc == 2)
		return become(argv[1]);
	if (argc != 3)
		return 2;
	(void)SYS(unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET));
	pid = SYS(fork());
	if (pid == 0)
		return init_child(argv[2], argv[1]);
	n = snprintf(text, sizeof(text), "%d\n", pid);
	return write(5, text, (size_t)n) == n ? 0 : 1;
}
