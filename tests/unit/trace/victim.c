#include "victim.h"

#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			shared->bad_line = __LINE__;                                               \
			shared->bad++;                                                             \
		}                                                                                  \
	} while (0)

#define NAP_NS (3 * NS_PER_MS)

/*
 * All general registers but rsp and rax hold constants, six vector registers
 * patterns, and the carry flag is set; any difference ends the loop. rdi points
 * at the counter of rounds. It never leaves user space.
 */
__asm__(".text\n"
	"victim_loop:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	mov $0x11111111, %eax\n	movd %eax, %xmm0\n	pshufd $0, %xmm0, %xmm0\n"
	"	mov $0x22222222, %eax\n	movd %eax, %xmm7\n	pshufd $0, %xmm7, %xmm7\n"
	"	mov $0x33333333, %eax\n	movd %eax, %xmm15\n	pshufd $0, %xmm15, %xmm15\n"
	"	fld1\n"
	"	mov $0x1111111111111111, %rbx\n"
	"	mov $0x2222222222222222, %rcx\n"
	"	mov $0x3333333333333333, %rdx\n"
	"	mov $0x4444444444444444, %rsi\n"
	"	mov $0x5555555555555555, %rbp\n"
	"	mov $0x6666666666666666, %r8\n"
	"	mov $0x7777777777777777, %r9\n"
	"	mov $0x8888888888888888, %r10\n"
	"	mov $0x9999999999999999, %r11\n"
	"	mov $0xaaaaaaaaaaaaaaaa, %r12\n"
	"	mov $0xbbbbbbbbbbbbbbbb, %r13\n"
	"	mov $0xcccccccccccccccc, %r14\n"
	"	mov $0xdddddddddddddddd, %r15\n"
	"1:	lock incq (%rdi)\n"
	"	mov $0x1111111111111111, %rax\n	cmp %rax, %rbx\n	jne 2f\n"
	"	mov $0x2222222222222222, %rax\n	cmp %rax, %rcx\n	jne 2f\n"
	"	mov $0x3333333333333333, %rax\n	cmp %rax, %rdx\n	jne 2f\n"
	"	mov $0x4444444444444444, %rax\n	cmp %rax, %rsi\n	jne 2f\n"
	"	mov $0x5555555555555555, %rax\n	cmp %rax, %rbp\n	jne 2f\n"
	"	mov $0x6666666666666666, %rax\n	cmp %rax, %r8\n	jne 2f\n"
	"	mov $0x7777777777777777, %rax\n	cmp %rax, %r9\n	jne 2f\n"
	"	mov $0x8888888888888888, %rax\n	cmp %rax, %r10\n	jne 2f\n"
	"	mov $0x9999999999999999, %rax\n	cmp %rax, %r11\n	jne 2f\n"
	"	mov $0xaaaaaaaaaaaaaaaa, %rax\n	cmp %rax, %r12\n	jne 2f\n"
	"	mov $0xbbbbbbbbbbbbbbbb, %rax\n	cmp %rax, %r13\n	jne 2f\n"
	"	mov $0xcccccccccccccccc, %rax\n	cmp %rax, %r14\n	jne 2f\n"
	"	mov $0xdddddddddddddddd, %rax\n	cmp %rax, %r15\n	jne 2f\n"
	"	movd %xmm0, %eax\n	cmp $0x11111111, %eax\n	jne 2f\n"
	"	movd %xmm7, %eax\n	cmp $0x22222222, %eax\n	jne 2f\n"
	"	movd %xmm15, %eax\n	cmp $0x33333333, %eax\n	jne 2f\n"
	"	stc\n	nop\n	nop\n	nop\n	nop\n	jnc 2f\n"
	/* The red zone belongs to us, too. */
	"	mov %rbx, -8(%rsp)\n	mov %rcx, -128(%rsp)\n	nop\n	nop\n	nop\n"
	"	cmp %rbx, -8(%rsp)\n	jne 2f\n	cmp %rcx, -128(%rsp)\n	jne 2f\n"
	"	jmp 1b\n"
	"2:	fstp %st(0)\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
	"	ret\n");
void victim_loop(atomic_ulong *rounds);

/* No stack at all: where a coroutine's small one has been left for a moment. */
__asm__(".text\n"
	"victim_stackless:\n"
	"	mov %rsp, %rdx\n"
	"	mov $8, %esp\n"
	"1:	lock incq (%rdi)\n	nop\n	nop\n	nop\n	nop\n"
	"	cmp $8, %rsp\n	je 1b\n"
	"	mov %rdx, %rsp\n"
	"	ret\n");
void victim_stackless(atomic_ulong *rounds);

static void run_stackless(struct victim_shared *shared)
{
	victim_stackless(&shared->rounds);
	CHECK(!"the stack pointer has changed");
	for (;;)
		(void)pause();
}

static void run_registers(struct victim_shared *shared)
{
	victim_loop(&shared->rounds);
	CHECK(!"a register, a flag or the red zone has changed");
	for (;;)
		(void)pause();
}

static void run_nanosleep(struct victim_shared *shared)
{
	uint64_t began = clock_mono_ns();

	CHECK(syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = NAP_NS }, NULL) == 0);
	CHECK(clock_mono_ns() - began >= NAP_NS);
}

static void run_poll(struct victim_shared *shared)
{
	struct pollfd pfd = { .fd = shared->pipe[0], .events = POLLIN };
	uint64_t began = clock_mono_ns();

	CHECK(poll(&pfd, 1, 3) == 0);
	CHECK(clock_mono_ns() - began >= NAP_NS);
}

static void run_ppoll(struct victim_shared *shared)
{
	struct pollfd pfd = { .fd = shared->pipe[0], .events = POLLIN };
	struct timespec ts = { .tv_nsec = NAP_NS };
	uint64_t began = clock_mono_ns();
	sigset_t mask;

	(void)sigemptyset(&mask);
	CHECK(ppoll(&pfd, 1, &ts, &mask) == 0);
	CHECK(clock_mono_ns() - began >= NAP_NS);
}

static void run_futex(struct victim_shared *shared)
{
	uint32_t word = 5;

	/* Relative, so restarted through a restart block. */
	CHECK(syscall(SYS_futex, &word, FUTEX_WAIT, 5, &(struct timespec){ .tv_nsec = NAP_NS },
		      NULL, 0) == -1 &&
	      errno == ETIMEDOUT);
}

static void expect_byte(struct victim_shared *shared)
{
	unsigned char want = (unsigned char)shared->rounds;
	unsigned char byte = 0;

	CHECK(read(shared->pipe[0], &byte, 1) == 1);
	CHECK(byte == want);
}

static void run_epoll(struct victim_shared *shared)
{
	static int ep = -1;
	struct epoll_event event = { .events = EPOLLIN };
	int n;

	if (ep < 0) {
		ep = epoll_create1(EPOLL_CLOEXEC);
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, shared->pipe[0], &event) == 0);
	}
	while ((n = epoll_wait(ep, &event, 1, -1)) < 0 && errno == EINTR)
		shared->interrupted++;
	CHECK(n == 1);
	expect_byte(shared);
}

/* All signals that injection could use are caught or blocked: none may be seen. */
static struct victim_shared *seen_by_handler;

static void on_signal(int signal UNUSED)
{
	seen_by_handler->bad++;
	seen_by_handler->bad_line = __LINE__;
}

static void run_caught(struct victim_shared *shared)
{
	static const int signals[] = { SIGURG, SIGWINCH, SIGCHLD };
	static int caught;

	seen_by_handler = shared;
	for (size_t i = 0; i < ARRAY_SIZE(signals) && !caught; i++)
		(void)signal(signals[i], on_signal);
	caught = 1;
	run_nanosleep(shared);
}

static void run_sigwait(struct victim_shared *shared)
{
	const struct itimerspec in_a_moment = { .it_value.tv_nsec = NAP_NS };
	static timer_t timer;
	static int prepared;
	sigset_t mask;
	int signal;

	if (!prepared) {
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };

		prepared = 1;
		(void)sigfillset(&mask);
		(void)sigprocmask(SIG_SETMASK, &mask, NULL);
		CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	}
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGUSR1);
	CHECK(timer_settime(timer, 0, &in_a_moment, NULL) == 0);
	while ((signal = sigtimedwait(&mask, NULL, &(struct timespec){ .tv_sec = 10 })) < 0 &&
	       errno == EINTR)
		shared->interrupted++;
	CHECK(signal == SIGUSR1);
}

const struct victim_kind victim_kinds[] = {
	{ "registers", run_registers, 0 },
	{ "nanosleep", run_nanosleep, 0 },
	{ "poll", run_poll, 0 },
	{ "ppoll", run_ppoll, 0 },
	{ "futex", run_futex, 0 },
	{ "read", expect_byte, 1 },
	{ "epoll", run_epoll, 1 },
	{ "caught", run_caught, 0 },
	{ "sigwait", run_sigwait, 0 },
	{ "stackless", run_stackless, 0 },
	{ "init", run_nanosleep, 0, CLONE_NEWPID | CLONE_NEWUSER },
};
const unsigned int n_victim_kinds = ARRAY_SIZE(victim_kinds);

void victim_start(struct victim *victim, const struct victim_kind *kind)
{
	struct victim_shared *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(shared != MAP_FAILED);
	assert_int_equal(pipe2(shared->pipe, O_CLOEXEC), 0);
	*victim = (struct victim){ .kind = kind, .shared = shared };
	victim->pid = (pid_t)syscall(SYS_clone, kind->clone_flags | SIGCHLD, 0, 0, 0, 0);
	assert_true(victim->pid >= 0);
	if (victim->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		shared->ready = 1;
		for (;; shared->rounds++)
			kind->run(shared);
	}
	while (!shared->ready)
		(void)sched_yield();
}

void victim_expect_progress(struct victim *victim)
{
	unsigned long before = victim->shared->rounds;
	uint64_t until = clock_mono_ns() + 20 * NS_PER_SEC;

	if (victim->kind->has_input) {
		unsigned char byte = victim->next_input++;

		assert_int_equal(write(victim->shared->pipe[1], &byte, 1), 1);
	}
	while (victim->shared->rounds == before && !victim->shared->bad) {
		if (clock_mono_ns() > until)
			fail_msg("victim '%s' stands still", victim->kind->name);
		(void)sched_yield();
	}
	if (victim->shared->bad)
		fail_msg("victim '%s' has noticed: line %d", victim->kind->name,
			 victim->shared->bad_line);
}

void victim_end(struct victim *victim)
{
	int bad = victim->shared->bad;
	int line = victim->shared->bad_line;
	int status = 0;

	assert_int_equal(kill(victim->pid, SIGKILL), 0);
	assert_int_equal(waitpid(victim->pid, &status, 0), victim->pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(victim->shared->pipe[0]);
	close(victim->shared->pipe[1]);
	munmap(victim->shared, 4096);
	if (bad)
		fail_msg("victim '%s' has noticed: line %d", victim->kind->name, line);
}
