/*
 * What can be seen of a stopped thread, and bytes of its memory.
 */
#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"
#include "trace/freeze.h"
#include "trace/regs.h"
#include "trace/remote-mem.h"

static struct freeze frozen;
static pid_t pid;
static char *pages; /* four; the third is not readable */

#define PAGE 4096

static int setup(void **state UNUSED)
{
	struct proc_stat stat;
	int ready[2];
	char c;

	pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	for (size_t i = 0; i < 4 * PAGE; i++)
		pages[i] = (char)(i / 7);
	pid = fork();
	if (pid == 0) {
		sigset_t mask;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigfillset(&mask);
		(void)sigdelset(&mask, SIGHUP);
		(void)sigprocmask(SIG_SETMASK, &mask, NULL);
		(void)mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
		(void)!write(ready[1], "x", 1);
		for (;;)
			(void)pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		return -1;
	close(ready[0]);
	while (proc_stat_of(pid, &stat, NULL) == 0 && stat.state != 'S')
		(void)sched_yield(); /* until it sleeps in pause(2) */
	for (int i = 0; i < 40; i++) /* more than are read at once */
		(void)sigqueue(pid, SIGRTMIN + 1, (union sigval){ .sival_int = i });
	(void)syscall(SYS_tgkill, pid, pid, SIGUSR2);
	return freeze_begin(&frozen, pid, 0, NULL);
}

static int teardown(void **state UNUSED)
{
	munmap(pages, 4 * PAGE);
	return freeze_kill(&frozen, NULL, NULL);
}

static void mask_and_queues_are_seen_and_stay(void **state UNUSED)
{
	uint64_t mask = 0;

	assert_int_equal(regs_get_sigmask(pid, &mask, NULL), 0);
	assert_int_equal(mask | UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1) |
				 UINT64_C(1) << 31 | UINT64_C(1) << 32,
			 ~(UINT64_C(1) << (SIGHUP - 1)));
	for (unsigned int round = 0; round < 2; round++) {
		cleanup_free siginfo_t *shared = NULL;
		cleanup_free siginfo_t *own = NULL;
		size_t n = 0;

		assert_int_equal(regs_get_sigqueue(pid, true, &shared, &n, NULL), 0);
		assert_int_equal(n, 40);
		for (int i = 0; i < 40; i++) {
			assert_int_equal(shared[i].si_signo, SIGRTMIN + 1);
			assert_int_equal(shared[i].si_value.sival_int, i);
			assert_int_equal(shared[i].si_pid, getpid());
		}
		assert_int_equal(regs_get_sigqueue(pid, false, &own, &n, NULL), 0);
		assert_int_equal(n, 1);
		assert_int_equal(own[0].si_signo, SIGUSR2);
		assert_int_equal(own[0].si_code, SI_TKILL);
	}
}

static void registers_and_fpu_can_be_set(void **state UNUSED)
{
	cleanup_free uint8_t *xstate = NULL;
	cleanup_free uint8_t *again = NULL;
	struct user_regs_struct regs;
	struct user_regs_struct now;
	size_t len = 0;

	assert_int_equal(regs_get(pid, &regs, NULL), 0);
	assert_int_equal(regs.orig_rax, SYS_pause);
	regs.rbx ^= 0x1234567;
	assert_int_equal(regs_set(pid, &regs, NULL), 0);
	assert_int_equal(regs_get(pid, &now, NULL), 0);
	assert_memory_equal(&now, &regs, sizeof(now));

	assert_int_equal(regs_get_xstate(pid, (void **)&xstate, &len, NULL), 0);
	assert_true(len >= 576);
	xstate[160] ^= 0xff; /* xmm0 */
	xstate[512] |= 2;    /* which is in use */
	assert_int_equal(regs_set_xstate(pid, xstate, len, NULL), 0);
	assert_int_equal(regs_get_xstate(pid, (void **)&again, &len, NULL), 0);
	assert_memory_equal(again + 160, xstate + 160, 16);
}

static void registered_areas_are_those_of_libc(void **state UNUSED)
{
	struct regs_rseq rseq = { 0 };
	uint64_t head = 0;
	uint64_t len = 0;

	assert_int_equal(regs_get_robust_list(pid, &head, &len, NULL), 0);
	assert_true(head != 0);
	assert_int_equal(len, 24);
	assert_int_equal(regs_get_rseq(pid, &rseq, NULL), 0);
	assert_true(rseq.addr != 0);
	assert_int_equal(rseq.signature, 0x53053053);
}

static void restarts_are_resolved_as_the_kernel_would(void **state UNUSED)
{
	static const struct {
		long long result;
		unsigned long long rax;
		bool again;
	} cases[] = {
		{ -512, SYS_read, true },
		{ -513, SYS_read, true },
		{ -514, SYS_read, true },
		{ -516, SYS_restart_syscall, true },
		{ -EINTR, (unsigned long long)-EINTR, false },
		{ 7, 7, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct user_regs_struct regs = { .rip = 0x1002, .orig_rax = SYS_read };

		regs.rax = (unsigned long long)cases[i].result;
		regs_resolve_restart(&regs);
		assert_int_equal(regs.rax, cases[i].rax);
		assert_int_equal(regs.rip, cases[i].again ? 0x1000 : 0x1002);
		assert_int_equal(regs.orig_rax, (unsigned long long)-1);
	}
}

static void runs_are_read_into_one_buffer(void **state UNUSED)
{
	struct rmem_run runs[2000];
	cleanup_free char *want = malloc(2000 * 3);
	cleanup_free char *got = malloc(2000 * 3);
	uint64_t base = (uint64_t)(uintptr_t)pages;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		runs[i] = (struct rmem_run){ raddr_of(base + i * 4), i % 4 }; /* some are empty */
		memcpy(want + n, pages + i * 4, i % 4);
		n += i % 4;
	}
	assert_int_equal(rmem_read_runs(pid, runs, ARRAY_SIZE(runs), got, NULL), 0);
	assert_memory_equal(got, want, n);
}

static void the_first_bad_address_is_named(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	uint64_t base = (uint64_t)(uintptr_t)pages;
	char buffer[4 * PAGE];
	char where[32];

	(void)snprintf(where, sizeof(where), "at %lx:", (unsigned long)(base + 2 * PAGE));
	assert_int_equal(rmem_read(pid, raddr_of(base + 100), buffer, 3 * PAGE, &err), -EFAULT);
	assert_non_null(strstr(err.text, where));
	assert_int_equal(rmem_write(pid, raddr_of(base + 100), buffer, 3 * PAGE, &err), -EFAULT);
	assert_non_null(strstr(err.text, where));
}

static void poking_passes_protection(void **state UNUSED)
{
	uint64_t at = (uint64_t)(uintptr_t)pages + 2 * PAGE + 50;
	cleanup_fd int fd = rmem_open(pid, NULL);
	char back[6] = "";
	char all[10];

	assert_true(fd >= 0);
	assert_int_equal(rmem_poke(fd, raddr_of(at), "hello", 6, NULL), 0);
	assert_int_equal(rmem_peek(fd, raddr_of(at), back, 6, NULL), 0);
	assert_string_equal(back, "hello");
	assert_int_equal(rmem_poke_traced(pid, raddr_of(at + 2), "all good", 8, NULL), 0);
	assert_int_equal(rmem_peek(fd, raddr_of(at), all, 10, NULL), 0);
	assert_memory_equal(all, "heall good", 10);
}

static void absent_threads_are_told(void **state UNUSED)
{
	struct user_regs_struct regs;
	struct error err = ERROR_INIT;

	assert_int_equal(regs_get(getpid(), &regs, &err), -ESRCH);
	assert_int_equal(err.code, -ESRCH);
	assert_int_equal(rmem_open(0x3ffffff, &err), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mask_and_queues_are_seen_and_stay),
		cmocka_unit_test(registers_and_fpu_can_be_set),
		cmocka_unit_test(registered_areas_are_those_of_libc),
		cmocka_unit_test(restarts_are_resolved_as_the_kernel_would),
		cmocka_unit_test(runs_are_read_into_one_buffer),
		cmocka_unit_test(the_first_bad_address_is_named),
		cmocka_unit_test(poking_passes_protection),
		cmocka_unit_test(absent_threads_are_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
