/*
 * Tasks frozen inside system calls go on in them: none of these calls may return
 * EINTR, nor early, nor with anything but what the parent does after the restore.
 */
#include "live.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/select.h>

static int fds[2];
static uint32_t *word;

static void do_read(void)
{
	char c = 0;
	ssize_t n = read(fds[0], &c, 1);

	CHECK(n == 1 && c == 'g', "read returns %zd: %s", n, strerror(errno));
}

static void do_poll(void)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	int n = poll(&p, 1, 60000);

	CHECK(n == 1 && p.revents == POLLIN, "poll returns %d: %s", n, strerror(errno));
}

static void do_ppoll(void)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	struct timespec t = { .tv_sec = 60 };
	sigset_t all, now;
	int n;

	(void)sigfillset(&all);
	n = ppoll(&p, 1, &t, &all);
	CHECK(n == 1 && p.revents == POLLIN, "ppoll returns %d: %s", n, strerror(errno));
	(void)sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGTERM) == 0, "ppoll's mask stays");
}

static void do_select(void)
{
	struct timeval t = { .tv_sec = 60 };
	fd_set set;
	int n;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	n = select(fds[0] + 1, &set, NULL, NULL, &t);
	CHECK(n == 1, "select returns %d: %s", n, strerror(errno));
}

static void do_futex(void)
{
	struct timespec t = { .tv_sec = 60 };
	long n = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, &t);

	/* The parent can't wake a private futex of ours: an alarm does. */
	CHECK(n < 0 && errno == EINTR, "futex returns %ld: %s", n, strerror(errno));
}

static void do_wait(void)
{
	pid_t child = SYS(fork());
	int status;

	if (child == 0) {
		live_wait();
		_exit(5);
	}
	CHECK(waitpid(child, &status, 0) == child, "waitpid: %s", strerror(errno));
	CHECK(WEXITSTATUS(status) == 5, "status %#x", (unsigned int)status);
}

static volatile sig_atomic_t got;

static void handler(int sig)
{
	got = sig;
}

static void do_sigsuspend(void)
{
	sigset_t block, none, now;

	(void)sigemptyset(&none);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &block, NULL);
	while (!got)
		(void)sigsuspend(&none);
	CHECK(live_gone_on(), "sigsuspend returned before the signal");
	(void)sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1) == 1, "sigsuspend did not put the mask back");
}

static void do_sigtimedwait(void)
{
	sigset_t set;
	siginfo_t si;
	struct timespec t = { .tv_sec = 60 };
	int sig;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	do
		sig = sigtimedwait(&set, &si, &t);
	while (sig < 0 && errno == EINTR); /* signal(7): EINTR after a stop is allowed here */
	CHECK(sig == SIGUSR1, "sigtimedwait returns %d: %s", sig, strerror(errno));
}

static void do_pause(void)
{
	while (!got)
		(void)pause();
	CHECK(live_gone_on(), "pause returned before the signal");
}

int main(void)
{
	static const struct {
		void (*run)(void);
		long nr;
		int sig;
	} all[] = {
		{ do_read, SYS_read, 0 },
		{ do_poll, SYS_poll, 0 },
		{ do_ppoll, SYS_ppoll, 0 },
		{ do_select, SYS_pselect6, 0 },
		{ do_futex, SYS_futex, SIGUSR1 },
		{ do_wait, SYS_wait4, 0 },
		{ do_sigsuspend, SYS_rt_sigsuspend, SIGUSR1 },
		{ do_sigtimedwait, SYS_rt_sigtimedwait, SIGUSR1 },
		{ do_pause, SYS_pause, SIGUSR1 },
	};
	enum { N = sizeof(all) / sizeof(all[0]) };
	struct sigaction action = { .sa_handler = handler };
	int pipes[N][2];
	pid_t pid[N];

	word = SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	(void)SYS(sigaction(SIGUSR1, &action, NULL));
	for (int i = 0; i < N; i++) {
		(void)SYS(pipe2(pipes[i], O_CLOEXEC));
		memcpy(fds, pipes[i], sizeof(fds));
		pid[i] = live_fork(all[i].run);
		live_wait_blocked(pid[i], all[i].nr);
	}
	live_say("ready");
	live_wait();
	live_pause_ms(50); /* a call that ended too early has time to show it */
	for (int i = 0; i < N; i++) {
		if (all[i].sig)
			(void)SYS(kill(pid[i], all[i].sig));
		else
			CHECK(write(pipes[i][1], "g", 1) == 1, "write");
	}
	for (int i = 0; i < N; i++)
		live_reap(pid[i]);
	live_pass();
}
