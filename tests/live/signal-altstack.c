/* The alternative signal stack is still there and used; also while a handler runs on it. */
#include "live.h"

static uint8_t stack[65536], other[65536];
static volatile sig_atomic_t count;

static bool on(uint8_t *area, void *address)
{
	return (uint8_t *)address >= area && (uint8_t *)address < area + 65536;
}

static void handler(int sig)
{
	int here;

	(void)sig;
	count++;
	CHECK(on(stack, &here), "the handler runs at %p, not on its stack", (void *)&here);
}

static void long_handler(int sig)
{
	int here;
	stack_t now;

	(void)sig;
	live_wait();
	CHECK(on(other, &here), "the frozen handler goes on elsewhere");
	(void)SYS(sigaltstack(NULL, &now));
	CHECK(now.ss_flags == SS_ONSTACK && now.ss_sp == other, "inside the handler: flags %#x",
	      (unsigned int)now.ss_flags);
	count++;
}

static void child(void)
{
	stack_t ss = { .ss_sp = other, .ss_size = sizeof(other) };
	struct sigaction action = { .sa_handler = long_handler, .sa_flags = SA_ONSTACK };
	volatile double d = 1.5;

	(void)SYS(sigaltstack(&ss, NULL));
	(void)SYS(sigaction(SIGUSR2, &action, NULL));
	(void)raise(SIGUSR2);
	CHECK(count == 1, "the frozen handler did not come back");
	CHECK(d == 1.5, "a local variable changed");
	(void)SYS(sigaltstack(NULL, &ss));
	CHECK(ss.ss_flags == 0 && ss.ss_sp == other, "after the handler: flags %#x",
	      (unsigned int)ss.ss_flags);
}

int main(void)
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) }, now;
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	pid_t pid = live_fork(child);

	(void)SYS(sigaltstack(&ss, NULL));
	(void)SYS(sigaction(SIGUSR1, &action, NULL));
	live_freeze();
	(void)SYS(sigaltstack(NULL, &now));
	CHECK(now.ss_sp == stack && now.ss_size == sizeof(stack) && now.ss_flags == 0,
	      "stack %p size %zu flags %#x", now.ss_sp, now.ss_size, (unsigned int)now.ss_flags);
	(void)raise(SIGUSR1);
	CHECK(count == 1, "the handler did not run");
	live_reap(pid);
	live_pass();
}
