/* Every signal's disposition: handler, flags, mask; ignored stays ignored, default default. */
#include "live.h"

static volatile sig_atomic_t got, got_code;
static void *volatile got_ptr;

static void plain(int sig)
{
	got = sig;
}

static void info(int sig, siginfo_t *si, void *context)
{
	(void)context;
	got = sig;
	got_code = si->si_code;
	got_ptr = si->si_value.sival_ptr;
}

/* What the kernel knows, less what libc adds. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static struct kernel_action before[65], after[65];

static void read_all(struct kernel_action *actions)
{
	for (int sig = 1; sig <= 64; sig++)
		(void)SYS(syscall(SYS_rt_sigaction, sig, NULL, &actions[sig], sizeof(uint64_t)));
}

int main(void)
{
	struct sigaction action = { .sa_handler = plain, .sa_flags = SA_RESTART };

	(void)sigaddset(&action.sa_mask, SIGHUP);
	(void)sigaddset(&action.sa_mask, SIGRTMAX);
	(void)SYS(sigaction(SIGUSR1, &action, NULL));
	action = (struct sigaction){ .sa_sigaction = info, .sa_flags = SA_SIGINFO | SA_NODEFER };
	(void)SYS(sigaction(SIGUSR2, &action, NULL));
	(void)SYS(sigaction(SIGRTMIN + 3, &action, NULL));
	action = (struct sigaction){ .sa_handler = plain, .sa_flags = (int)SA_RESETHAND };
	(void)SYS(sigaction(SIGALRM, &action, NULL));
	action = (struct sigaction){ .sa_handler = SIG_IGN };
	(void)SYS(sigaction(SIGPIPE, &action, NULL));
	action = (struct sigaction){ .sa_handler = SIG_DFL,
				     .sa_flags = SA_NOCLDSTOP | SA_NOCLDWAIT };
	(void)SYS(sigaction(SIGCHLD, &action, NULL));
	read_all(before);
	live_freeze();
	read_all(after);
	for (int sig = 1; sig <= 64; sig++)
		CHECK(memcmp(&before[sig], &after[sig], sizeof(before[sig])) == 0,
		      "signal %d: handler %p flags %#lx mask %#lx, were %p %#lx %#lx", sig,
		      after[sig].handler, after[sig].flags, after[sig].mask, before[sig].handler,
		      before[sig].flags, before[sig].mask);
	(void)raise(SIGUSR1);
	CHECK(got == SIGUSR1, "the handler of SIGUSR1 did not run");
	(void)SYS(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_ptr = (void *)&got }));
	CHECK(got == SIGRTMIN + 3 && got_code == SI_QUEUE && got_ptr == &got,
	      "the handler's siginfo is wrong");
	(void)raise(SIGALRM);
	CHECK(got == SIGALRM, "the one-time handler did not run");
	(void)SYS(sigaction(SIGALRM, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL, "the one-time handler stays");
	live_pass();
}
