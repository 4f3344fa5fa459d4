/* Signals that wait, of the process and of the thread, with their siginfo and their order. */
#include "live.h"

#define RT (SIGRTMIN + 2)

static siginfo_t take(int sig)
{
	siginfo_t si;
	sigset_t set;
	struct timespec none = { 0 };

	(void)sigemptyset(&set);
	(void)sigaddset(&set, sig);
	/* libc's wrapper would turn SI_TKILL into SI_USER. */
	CHECK(syscall(SYS_rt_sigtimedwait, &set, &si, &none, sizeof(uint64_t)) == sig,
	      "signal %d is lost: %s", sig, strerror(errno));
	return si;
}

int main(void)
{
	siginfo_t si, sent;
	sigset_t set, pending;
	pid_t child;

	(void)sigfillset(&set);
	(void)SYS(sigprocmask(SIG_SETMASK, &set, NULL));
	child = SYS(fork());
	if (child == 0)
		_exit(7);
	(void)SYS(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT)); /* SIGCHLD is pending now */
	(void)SYS(kill(getpid(), SIGTERM));
	for (int i = 0; i < 5; i++)
		(void)SYS(sigqueue(getpid(), RT, (union sigval){ .sival_int = 100 + i }));
	(void)SYS(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	memset(&sent, 0, sizeof(sent));
	sent.si_signo = SIGUSR2;
	sent.si_code = -60;
	sent.si_value.sival_ptr = &sent;
	(void)SYS(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR2, &sent));
	live_freeze();
	for (int i = 0; i < 5; i++) {
		si = take(RT);
		CHECK(si.si_code == SI_QUEUE && si.si_value.sival_int == 100 + i &&
			      si.si_pid == getpid(),
		      "queued signal %d: code %d, value %d, pid %d", i, si.si_code,
		      si.si_value.sival_int, si.si_pid);
	}
	si = take(SIGTERM);
	CHECK(si.si_code == SI_USER && si.si_pid == getpid(), "SIGTERM: code %d, pid %d",
	      si.si_code, si.si_pid);
	si = take(SIGUSR1);
	CHECK(si.si_code == SI_TKILL, "SIGUSR1: code %d", si.si_code);
	si = take(SIGUSR2);
	CHECK(si.si_code == -60 && si.si_value.sival_ptr == &sent, "SIGUSR2: code %d", si.si_code);
	si = take(SIGCHLD);
	CHECK(si.si_code == CLD_EXITED && si.si_pid == child && si.si_status == 7,
	      "SIGCHLD: code %d, pid %d, status %d", si.si_code, si.si_pid, si.si_status);
	(void)SYS(sigpending(&pending));
	for (int sig = 1; sig < 64; sig++)
		CHECK(sigismember(&pending, sig) != 1, "signal %d is pending, nobody sent it", sig);
	live_pass();
}
