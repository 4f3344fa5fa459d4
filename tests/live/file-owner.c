/* F_SETOWN and F_SETSIG: who is told by which signal, on pipes, FIFOs, sockets and of groups. */
#include "live.h"

#include <sys/socket.h>

static volatile sig_atomic_t told, told_fd;

static void count(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	told_fd = info->si_fd;
	told++;
}

static void own(int fd, int type, pid_t pid, int signal)
{
	struct f_owner_ex owner = { .type = (__typeof__(((struct f_owner_ex *)0)->type))type,
				    .pid = pid };

	SYS(fcntl(fd, F_SETSIG, signal));
	SYS(fcntl(fd, F_SETOWN_EX, &owner));
	SYS(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK));
}

static void check(const char *what, int fd, int writer, int type, pid_t pid, int signal)
{
	struct f_owner_ex owner = { .pid = -1 };
	int before = told;

	SYS(fcntl(fd, F_GETOWN_EX, &owner));
	CHECK((int)owner.type == type && owner.pid == pid, "%s: owner %d of type %d", what,
	      owner.pid, (int)owner.type);
	CHECK(fcntl(fd, F_GETSIG) == signal, "%s: signal %d", what, fcntl(fd, F_GETSIG));
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC, "%s: not asynchronous any more", what);
	SYS(write(writer, "x", 1));
	for (int i = 0; i < 1000 && told == before; i++)
		live_pause_ms(2);
	CHECK(told == before + 1 && told_fd == fd, "%s: told %d times, of descriptor %d", what,
	      (int)told - before, (int)told_fd);
}

int main(void)
{
	struct sigaction act = { .sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESTART };
	int ends[2], pair[2], fifo, other;
	const int signal = SIGRTMIN + 5;
	struct f_owner_ex owner;

	SYS(sigaction(signal, &act, NULL));
	SYS(pipe(ends));
	SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	SYS(mkfifo(live_path("fifo"), 0600));
	fifo = SYS(open(live_path("fifo"), O_RDWR));
	other = SYS(open(live_path("file"), O_RDWR | O_CREAT, 0600));
	own(ends[0], F_OWNER_PID, getpid(), signal);
	own(pair[0], F_OWNER_PGRP, getpgrp(), signal);
	own(fifo, F_OWNER_TID, (pid_t)syscall(SYS_gettid), signal);
	SYS(fcntl(other, F_SETOWN, getpid()));
	live_freeze();
	told = 0;
	check("pipe", ends[0], ends[1], F_OWNER_PID, getpid(), signal);
	check("socket", pair[0], pair[1], F_OWNER_PGRP, getpgrp(), signal);
	check("FIFO", fifo, fifo, F_OWNER_TID, (pid_t)syscall(SYS_gettid), signal);
	SYS(fcntl(other, F_GETOWN_EX, &owner));
	CHECK(owner.type == F_OWNER_PID && owner.pid == getpid(), "file: owner %d", owner.pid);
	live_pass();
}
