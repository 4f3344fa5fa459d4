/* Leases, and what is being asked of their holders: told once, and still so after the restore. */
#include "live.h"

static volatile sig_atomic_t told;

static void count(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	told++;
}

static int leased(const char *name, int flags, int type)
{
	int fd = SYS(open(live_path(name), O_RDWR | O_CREAT, 0600));

	(void)close(fd);
	fd = SYS(open(live_path(name), flags));
	SYS(fcntl(fd, F_SETSIG, SIGRTMIN + 3));
	SYS(fcntl(fd, F_SETLEASE, type));
	return fd;
}

static void ask_for(const char *name, int flags)
{
	CHECK(open(live_path(name), flags | O_NONBLOCK) < 0 && errno == EWOULDBLOCK,
	      "'%s' has no lease: %s", name, strerror(errno));
}

int main(void)
{
	struct sigaction act = { .sa_sigaction = count, .sa_flags = SA_SIGINFO };
	int read_lease, write_lease, breaking, downgrade;
	struct f_owner_ex owner;

	SYS(sigaction(SIGRTMIN + 3, &act, NULL));
	read_lease = leased("read", O_RDONLY, F_RDLCK);
	write_lease = leased("write", O_RDWR, F_WRLCK);
	breaking = leased("breaking", O_RDONLY, F_RDLCK);
	downgrade = leased("downgrade", O_RDONLY, F_WRLCK);
	ask_for("breaking", O_WRONLY);
	ask_for("downgrade", O_RDONLY);
	CHECK(told == 2, "told %d times", (int)told);
	live_freeze();
	CHECK(told == 2, "told %d times after the restore", (int)told);
	CHECK(fcntl(read_lease, F_GETLEASE) == F_RDLCK, "the read lease is lost");
	CHECK(fcntl(write_lease, F_GETLEASE) == F_WRLCK, "the write lease is lost");
	CHECK(fcntl(breaking, F_GETLEASE) == F_UNLCK, "nobody wants the lease any more");
	CHECK(fcntl(downgrade, F_GETLEASE) == F_RDLCK, "nobody wants to read any more");
	SYS(fcntl(read_lease, F_GETOWN_EX, &owner));
	CHECK(owner.pid == getpid(), "the lease's owner is %d", owner.pid);
	CHECK(fcntl(read_lease, F_GETSIG) == SIGRTMIN + 3, "its signal is lost");
	ask_for("breaking", O_WRONLY);
	SYS(fcntl(breaking, F_SETLEASE, F_UNLCK));
	CHECK(open(live_path("breaking"), O_WRONLY | O_NONBLOCK) >= 0, "the lease can't be ended");
	SYS(fcntl(downgrade, F_SETLEASE, F_RDLCK));
	CHECK(told == 2, "told %d times", (int)told);
	ask_for("read", O_WRONLY);
	CHECK(told == 3, "not told that somebody wants to write");
	live_pass();
}
