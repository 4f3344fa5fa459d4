#include "ckpt/timed-calls.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "trace/remote-mem.h"

#define ERESTART_RESTARTBLOCK 516
#define SYSCALL_LEN 2 /* bytes of the instruction */
#define LOAD_LEN 5    /* of MOV imm32 to eax before it */

static const char in_futex[] = "futex";
static const char in_poll[] = "poll";
static const char in_sleep[] = "sleep";

/* Names of kernel functions that /proc/TID/wchan may give, by their beginning. */
static const struct {
	const char *prefix;
	const char *kind;
} functions[] = {
	{ "futex", in_futex },
	{ "poll_schedule_timeout", in_poll },
	{ "do_poll", in_poll },
	{ "do_sys_poll", in_poll },
	{ "schedule_hrtimeout", in_poll },
	{ "hrtimer_nanosleep", in_sleep },
	{ "do_nanosleep", in_sleep },
	{ "common_nsleep", in_sleep },
	{ "do_syscall_64", in_sleep }, /* hrtimer_nanosleep_restart leaves no frame */
	{ "__x64_sys_restart_syscall", in_sleep },
};

static const char *kind_of(const char *function)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!strncmp(function, functions[i].prefix, strlen(functions[i].prefix)))
			return functions[i].kind;
	}
	return NULL;
}

static int add(struct timed_calls *calls, const struct timed_call *call, struct error *err)
{
	size_t size = calls->size ? calls->size * 2 : 16;
	struct timed_call *more;

	if (calls->n == calls->size) {
		more = reallocarray(calls->calls, size, sizeof(*more));
		if (!more)
			return err_oom(err);
		calls->calls = more;
		calls->size = size;
	}
	calls->calls[calls->n++] = *call;
	return 0;
}

static int look_at_thread(struct timed_calls *calls, pid_t host_pid, pid_t host_tid,
			  struct error *err)
{
	struct timed_call call = { .host_tid = host_tid };
	cleanup_free char *text = NULL;
	cleanup_free char *function = NULL;
	char path[64];
	size_t len;
	long nr;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", host_pid, host_tid);
	if (file_read_at(AT_FDCWD, path, 4096, &text, &len, NULL) < 0)
		return 0;
	/* number, six arguments, stack pointer, instruction pointer */
	if (sscanf(text, "%ld %*x %*x %*x %*x %*x %*x %" SCNx64 " %" SCNx64, &nr, &call.sp,
		   &call.ip) != 3 ||
	    nr != SYS_restart_syscall)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", host_pid, host_tid);
	if (file_read_at(AT_FDCWD, path, 4096, &function, &len, NULL) < 0)
		return 0;
	call.slept_in = kind_of(function);
	return call.slept_in ? add(calls, &call, err) : 0;
}

int timed_calls_look(struct timed_calls *calls, pid_t host_pid, struct error *err)
{
	cleanup_free pid_t *tids = NULL;
	cleanup_free pid_t *children = NULL;
	size_t n_tids = 0;
	size_t n_children = 0;
	int r = 0;

	/* The tree is running: what is gone needs no look. */
	if (proc_threads_of(host_pid, &tids, &n_tids, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n_tids && r == 0; i++)
		r = look_at_thread(calls, host_pid, tids[i], err);
	if (r < 0 || proc_children_of(host_pid, &children, &n_children, NULL) < 0)
		return r;
	for (size_t i = 0; i < n_children && r == 0; i++)
		r = timed_calls_look(calls, children[i], err);
	return r;
}

/* The number that "mov $NUMBER, %eax; syscall" loaded, if that is what stands there. */
static long loaded_number(pid_t host_tid, uint64_t ip)
{
	unsigned char code[LOAD_LEN + SYSCALL_LEN];
	uint32_t nr;

	if (rmem_read(host_tid, raddr_of(ip - sizeof(code)), code, sizeof(code), NULL) < 0)
		return -1;
	if (code[0] != 0xb8 || code[LOAD_LEN] != 0x0f || code[LOAD_LEN + 1] != 0x05)
		return -1;
	memcpy(&nr, code + 1, sizeof(nr));
	return nr;
}

static bool can_restart(long nr)
{
	return nr == SYS_nanosleep || nr == SYS_clock_nanosleep || nr == SYS_poll ||
	       nr == SYS_futex || nr == SYS_ppoll;
}

/* nanosleep has a pointer where clock_nanosleep has the small number of a clock. */
static long sleep_number(const struct user_regs_struct *regs)
{
	int64_t clock = (int32_t)regs->rdi;

	return regs->rdi < 64 || (clock < 0 &&
				  (regs->rdi >> 32 == 0 || regs->rdi >> 32 == UINT32_MAX))
		       ? SYS_clock_nanosleep
		       : SYS_nanosleep;
}

static long number_of(const struct timed_calls *calls, pid_t host_tid,
		      const struct user_regs_struct *regs)
{
	long nr = loaded_number(host_tid, regs->rip);

	if (can_restart(nr))
		return nr;
	for (size_t i = 0; i < calls->n; i++) {
		const struct timed_call *call = &calls->calls[i];

		if (call->host_tid != host_tid || call->sp != regs->rsp || call->ip != regs->rip)
			continue;
		return call->slept_in == in_futex  ? SYS_futex
		       : call->slept_in == in_poll ? SYS_poll
						   : sleep_number(regs);
	}
	return -1;
}

/* Has the sleeper a place for the rest that is not the request itself? */
static bool told_the_rest(long nr, const struct user_regs_struct *regs)
{
	if (nr == SYS_nanosleep)
		return regs->rsi && regs->rsi != regs->rdi;
	if (nr == SYS_clock_nanosleep)
		return regs->r10 && regs->r10 != regs->rdx;
	return false;
}

void timed_call_resolve(const struct timed_calls *calls, pid_t host_tid,
			struct user_regs_struct *regs)
{
	long nr = (long)regs->orig_rax;

	if (nr < 0 || (int64_t)regs->rax != -ERESTART_RESTARTBLOCK)
		return;
	if (nr == SYS_restart_syscall)
		nr = number_of(calls, host_tid, regs);
	if (nr < 0 || told_the_rest(nr, regs)) {
		if (nr < 0)
			log_debug("task %d: an interrupted call of unknown number returns EINTR",
				  host_tid);
		regs->rax = (uint64_t)-EINTR;
	} else {
		regs->rax = (uint64_t)nr;
		regs->rip -= SYSCALL_LEN;
	}
	regs->orig_rax = (uint64_t)-1;
}

void timed_calls_done(struct timed_calls *calls)
{
	free(calls->calls);
	calls->calls = NULL;
	calls->n = 0;
	calls->size = 0;
}
