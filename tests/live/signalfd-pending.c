/* A signalfd keeps its mask and flags, and tells the signals that were pending. */
#include "live.h"

#include <sys/signalfd.h>

int main(void)
{
	struct signalfd_siginfo info;
	union sigval value = { .sival_int = 4711 };
	sigset_t mask, one;
	int all, only;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMIN + 3);
	(void)SYS(sigprocmask(SIG_BLOCK, &mask, NULL));
	sigemptyset(&one);
	sigaddset(&one, SIGUSR2);
	all = SYS(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
	only = SYS(signalfd(-1, &one, SFD_NONBLOCK));
	(void)SYS(sigqueue(getpid(), SIGRTMIN + 3, value));
	(void)SYS(kill(getpid(), SIGUSR1));
	live_freeze();
	CHECK(read(only, &info, sizeof(info)) < 0 && errno == EAGAIN,
	      "the narrow one tells signals it does not watch");
	CHECK(fcntl(all, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	CHECK(read(all, &info, sizeof(info)) == sizeof(info), "read: %s", strerror(errno));
	CHECK(info.ssi_signo == SIGUSR1, "signal %u came first", info.ssi_signo);
	CHECK(read(all, &info, sizeof(info)) == sizeof(info), "read: %s", strerror(errno));
	CHECK((int)info.ssi_signo == SIGRTMIN + 3 && info.ssi_int == 4711,
	      "signal %u with value %d", info.ssi_signo, info.ssi_int);
	CHECK(read(all, &info, sizeof(info)) < 0 && errno == EAGAIN, "there is one too many");
	(void)SYS(kill(getpid(), SIGUSR2));
	CHECK(read(only, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR2,
	      "the narrow one is deaf");
	live_pass();
}
