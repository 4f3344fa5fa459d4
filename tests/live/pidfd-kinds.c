/* pidfds of oneself, a child, a zombie and processes that are gone, shared and watched. */
#include "live.h"

#include <poll.h>
#include <sys/epoll.h>

static int pidfd_of(pid_t pid, unsigned int flags)
{
	return (int)SYS(syscall(SYS_pidfd_open, pid, flags));
}

static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return SYS(poll(&p, 1, 0)) == 1;
}

static pid_t target(int fd)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "fdinfo/%d", fd);
	return atoi(live_proc(getpid(), name, "Pid:"));
}

static int to_child, gate[2];

static void child(void)
{
	char c;

	(void)close(gate[1]);
	CHECK(read(gate[0], &c, 1) == 0, "the gate");
	/* Shares its parent's pidfd of itself. */
	CHECK(to_child < 0 || target(to_child) == getpid(), "it stands for %d", target(to_child));
	_exit(7);
}

static pid_t gone(int *fds, int n)
{
	pid_t pid = SYS(fork());

	if (pid == 0)
		_exit(0);
	for (int i = 0; i < n; i++)
		fds[i] = pidfd_of(pid, 0);
	live_reap(pid);
	return pid;
}

int main(void)
{
	int self = pidfd_of(getpid(), O_NONBLOCK);
	int copy = SYS(fcntl(self, F_DUPFD_CLOEXEC, 100));
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 5 }, got;
	int dead[3], other_dead[1], zombie_fd, of_child, epoll, status;
	struct stat a, b;
	pid_t pid, zombie, sharer;
	siginfo_t info;

	to_child = -1;
	SYS(pipe(gate));
	pid = live_fork(child);
	of_child = to_child = pidfd_of(pid, 0);
	/* Holds the same description, opened before it was made. */
	sharer = SYS(fork());
	if (sharer == 0) {
		(void)close(gate[1]);
		live_wait();
		CHECK(target(to_child) == pid, "the sharer's stands for %d", target(to_child));
		CHECK(syscall(SYS_kcmp, getpid(), getppid(), 0, to_child, to_child) == 0 ||
			      errno == EPERM,
		      "it is another description");
		_exit(0);
	}
	zombie = SYS(fork());
	if (zombie == 0)
		_exit(3);
	zombie_fd = pidfd_of(zombie, 0);
	SYS(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT));
	(void)gone(dead, 3);
	(void)gone(other_dead, 1);
	epoll = SYS(epoll_create1(0));
	SYS(epoll_ctl(epoll, EPOLL_CTL_ADD, of_child, &event));
	live_freeze();
	live_reap(sharer);
	CHECK(target(self) == getpid() && fcntl(self, F_GETFL) & O_NONBLOCK, "pidfd of itself");
	CHECK(target(copy) == getpid() && fcntl(copy, F_GETFD) == FD_CLOEXEC, "its copy");
	CHECK(target(of_child) == pid && !has_ended(of_child), "pidfd of a child");
	CHECK(epoll_wait(epoll, &got, 1, 0) == 0, "the child has ended too early");
	CHECK(target(zombie_fd) == zombie && has_ended(zombie_fd), "pidfd of a zombie");
	SYS(waitid(P_PIDFD, (id_t)zombie_fd, &info, WEXITED));
	CHECK(info.si_status == 3, "the zombie's exit code is %d", info.si_status);
	CHECK(target(dead[0]) == -1 && has_ended(dead[0]), "pidfd of a process that is gone");
	SYS(fstat(dead[0], &a));
	SYS(fstat(dead[2], &b));
	CHECK(a.st_ino == b.st_ino, "not the same process any more");
	SYS(fstat(other_dead[0], &b));
	CHECK(a.st_ino != b.st_ino, "two processes have become one");
	(void)close(gate[1]);
	CHECK(epoll_wait(epoll, &got, 1, 5000) == 1 && got.data.u32 == 5, "epoll does not tell");
	SYS(waitpid(pid, &status, 0));
	CHECK(WEXITSTATUS(status) == 7, "the child ended with %#x", (unsigned int)status);
	live_pass();
}
