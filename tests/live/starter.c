/*
 * starter PROGRAM: becomes PROGRAM, in a session of its own with no descriptors but 0, 1, 2.
 * starter PROGRAM ROOT: runs it as init of new pid, mount, uts, ipc and network namespaces on the
 * folder ROOT, and prints its host pid to descriptor 5.
 * starter PROGRAM ROOT FIRST: the same in a user namespace, whose 65536 ids are FIRST and up.
 */
#include "live.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <grp.h>
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

static void write_map(pid_t pid, const char *name, const char *first)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "/proc/%d/%s", pid, name);
	int fd = SYS(open(text, O_WRONLY));

	n = snprintf(text, sizeof(text), "0 %s 65536\n", first);
	CHECK(write(fd, text, (size_t)n) == n, "%s: %s", name, strerror(errno));
	(void)close(fd);
}

/* Only who stays outside may give the namespace ids that are not its maker's. */
static void enter_user_namespace(const char *first)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	(void)SYS(pipe(ready));
	pid = SYS(fork());
	if (pid == 0) {
		CHECK(read(ready[0], &byte, 1) == 1, "the starter is gone");
		write_map(getppid(), "uid_map", first);
		write_map(getppid(), "gid_map", first);
		_exit(0);
	}
	(void)SYS(unshare(CLONE_NEWUSER));
	CHECK(write(ready[1], &byte, 1) == 1, "the helper is gone");
	live_reap(pid);
	(void)SYS(setgroups(0, NULL));
	(void)SYS(setresgid(0, 0, 0));
	(void)SYS(setresuid(0, 0, 0));
	(void)close(ready[0]);
	(void)close(ready[1]);
}

int main(int argc, char **argv)
{
	char text[16];
	pid_t pid;
	int n;

	if (argc == 2)
		return become(argv[1]);
	if (argc != 3 && argc != 4)
		return 2;
	if (argc == 4)
		enter_user_namespace(argv[3]);
	(void)SYS(unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET));
	pid = SYS(fork());
	if (pid == 0)
		return init_child(argv[2], argv[1]);
	n = snprintf(text, sizeof(text), "%d\n", pid);
	return write(5, text, (size_t)n) == n ? 0 : 1;
}
