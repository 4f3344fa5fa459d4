#include "trace/regs.h"

#include <elf.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

/* The kernel's own: a system call that a signal has interrupted ends with one of these, which
 * user space never sees. */
#define KERNEL_ERESTARTSYS 512
#define KERNEL_ERESTARTNOINTR 513
#define KERNEL_ERESTARTNOHAND 514
#define KERNEL_ERESTART_RESTARTBLOCK 516

#define XSTATE_MAX ((size_t)64 << 10) /* AMX included, it takes 11 KiB */
#define QUEUE_AT_ONCE 32
#define FILTER_INSNS_MAX 32768

int regs_get(pid_t host_tid, struct user_regs_struct *ret_regs, struct error *err)
{
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, host_tid, NT_PRSTATUS, &iov) < 0)
		return err_sys(err, "thread %d: read registers", (int)host_tid);
	/* The regset of 32-bit code is shorter. */
	if (iov.iov_len != sizeof(regs))
		return err_set(err, -EOPNOTSUPP, "thread %d runs 32-bit code", (int)host_tid);
	*ret_regs = regs;
	return 0;
}

int regs_set(pid_t host_tid, const struct user_regs_struct *regs, struct error *err)
{
	struct user_regs_struct copy = *regs;
	struct iovec iov = { &copy, sizeof(copy) };

	if (ptrace(PTRACE_SETREGSET, host_tid, NT_PRSTATUS, &iov) < 0)
		return err_sys(err, "thread %d: set registers", (int)host_tid);
	return 0;
}

int regs_get_xstate(pid_t host_tid, void **ret_xstate, size_t *ret_len, struct error *err)
{
	cleanup_free void *xstate = malloc(XSTATE_MAX);
	struct iovec iov = { xstate, XSTATE_MAX };

	if (!xstate)
		return err_oom(err);
	if (ptrace(PTRACE_GETREGSET, host_tid, NT_X86_XSTATE, &iov) < 0)
		return err_sys(err, "thread %d: read FPU state", (int)host_tid);
	*ret_xstate = take_ptr(&xstate);
	*ret_len = iov.iov_len;
	return 0;
}

int regs_set_xstate(pid_t host_tid, const void *xstate, size_t len, struct error *err)
{
	struct iovec iov = { (void *)(uintptr_t)xstate, len };

	if (ptrace(PTRACE_SETREGSET, host_tid, NT_X86_XSTATE, &iov) < 0)
		return err_sys(err, "thread %d: set FPU state", (int)host_tid);
	return 0;
}

int regs_get_sigmask(pid_t host_tid, uint64_t *ret_mask, struct error *err)
{
	if (ptrace(PTRACE_GETSIGMASK, host_tid, sizeof(*ret_mask), ret_mask) < 0)
		return err_sys(err, "thread %d: read signal mask", (int)host_tid);
	return 0;
}

int regs_set_sigmask(pid_t host_tid, uint64_t mask, struct error *err)
{
	if (ptrace(PTRACE_SETSIGMASK, host_tid, sizeof(mask), &mask) < 0)
		return err_sys(err, "thread %d: set signal mask", (int)host_tid);
	return 0;
}

int regs_get_sigqueue(pid_t host_tid, bool shared, siginfo_t **ret_infos, size_t *ret_n,
		      struct error *err)
{
	siginfo_t *infos = NULL;
	size_t n = 0;
	long got;

	do {
		siginfo_t *more = reallocarray(infos, n + QUEUE_AT_ONCE, sizeof(siginfo_t));
		struct __ptrace_peeksiginfo_args args = {
			.off = n,
			.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
			.nr = QUEUE_AT_ONCE,
		};

		if (!more) {
			free(infos);
			return err_oom(err);
		}
		infos = more;
		got = ptrace(PTRACE_PEEKSIGINFO, host_tid, &args, infos + n);
		if (got < 0) {
			free(infos);
			return err_sys(err, "thread %d: read its %s signals", (int)host_tid,
				       shared ? "process's queued" : "queued");
		}
		n += (size_t)got;
	} while (got == QUEUE_AT_ONCE);
	if (n == 0) {
		free(infos);
		infos = NULL;
	}
	*ret_infos = infos;
	*ret_n = n;
	return 0;
}

int regs_get_rseq(pid_t host_tid, struct regs_rseq *ret_rseq, struct error *err)
{
	struct __ptrace_rseq_configuration conf = { 0 };

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, host_tid, sizeof(conf), &conf) < 0) {
		if (errno == EIO || errno == EINVAL)
			return err_set(err, -EOPNOTSUPP,
				       "thread %d: this kernel doesn't tell rseq areas",
				       (int)host_tid);
		return err_sys(err, "thread %d: read its rseq area", (int)host_tid);
	}
	*ret_rseq = (struct regs_rseq){
		.addr = conf.rseq_abi_pointer,
		.len = conf.rseq_abi_size,
		.signature = conf.signature,
		.flags = conf.flags,
	};
	return 0;
}

int regs_get_robust_list(pid_t host_tid, uint64_t *ret_head, uint64_t *ret_len, struct error *err)
{
	void *head = NULL;
	size_t len = 0;

	if (syscall(SYS_get_robust_list, host_tid, &head, &len) < 0)
		return err_sys(err, "thread %d: read its list of robust futexes", (int)host_tid);
	*ret_head = (uint64_t)(uintptr_t)head;
	*ret_len = len;
	return 0;
}

int regs_get_seccomp_filter(pid_t host_tid, size_t index, struct regs_filter *ret_filter,
			    struct error *err)
{
	cleanup_free struct sock_filter *insns = NULL;
	struct __ptrace_seccomp_metadata meta = { .filter_off = index };
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, host_tid, index, NULL);

	if (n < 0 && (errno == ENOENT || (errno == EINVAL && index == 0)))
		return 0; /* no such; not in filter mode at all */
	if (n < 0) {
		int r = err_sys(err, "thread %d: read seccomp filter %zu", (int)host_tid, index);

		if (r == -EACCES)
			err_hint(err, "needs CAP_SYS_ADMIN, outside of any seccomp filter");
		return r;
	}
	if (n == 0 || n > FILTER_INSNS_MAX)
		return err_set(err, -EBADMSG, "thread %d: seccomp filter %zu has %ld instructions",
			       (int)host_tid, index, n);
	insns = calloc((size_t)n, sizeof(*insns));
	if (!insns)
		return err_oom(err);
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, host_tid, index, insns) != n)
		return err_sys(err, "thread %d: read seccomp filter %zu", (int)host_tid, index);
	if (ptrace(PTRACE_SECCOMP_GET_METADATA, host_tid, sizeof(meta), &meta) < 0)
		return err_sys(err, "thread %d: read flags of seccomp filter %zu", (int)host_tid,
			       index);
	*ret_filter = (struct regs_filter){
		.insns = take_ptr(&insns),
		.n = (size_t)n,
		.flags = meta.flags,
	};
	return 1;
}

void regs_filter_done(struct regs_filter *filter)
{
	free(filter->insns);
	*filter = (struct regs_filter){ .insns = NULL };
}

static bool answers_every_interruption(unsigned long long nr)
{
	switch (nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_read:
	case SYS_readv:
	case SYS_write:
	case SYS_writev:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
		return true;
	default:
		return false;
	}
}

int regs_hide_interrupt(pid_t host_tid, struct error *err)
{
	struct user_regs_struct regs;
	int r = regs_get(host_tid, &regs, NULL);

	if (r == -EOPNOTSUPP)
		return 0; /* 32-bit code, which others will refuse in words */
	if (r < 0)
		return err_set(err, r, "thread %d: read registers: %s", (int)host_tid,
			       strerror(-r));
	if (!answers_every_interruption(regs.orig_rax) || (long long)regs.rax != -EINTR)
		return 0;
	regs.rax = (unsigned long long)-(long long)KERNEL_ERESTARTNOHAND;
	return regs_set(host_tid, &regs, err);
}

void regs_resolve_restart(struct user_regs_struct *regs)
{
	if ((long long)regs->orig_rax >= 0) {
		switch (-(long long)regs->rax) {
		case KERNEL_ERESTARTSYS:
		case KERNEL_ERESTARTNOINTR:
		case KERNEL_ERESTARTNOHAND:
			regs->rax = regs->orig_rax;
			regs->rip -= 2; /* back on the syscall instruction */
			break;
		case KERNEL_ERESTART_RESTARTBLOCK:
			regs->rax = SYS_restart_syscall;
			regs->rip -= 2;
			break;
		default:
			break;
		}
	}
	regs->orig_rax = (unsigned long long)-1;
}
