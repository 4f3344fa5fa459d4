/*
 * signal-restore: handlers, the alternative stack, signals that wait.
 *
 * All signals are blocked in a task from its birth until the signal frame it
 * leaves by sets its own mask; so what is queued here waits for that.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "ckpt/restore-priv.h"

#define SIGNALS 64
#define SIGINFO_SIZE 128

/* The kernel's struct sigaction. */
struct k_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

uint64_t signal_mask(const struct rthread *th)
{
	const ThreadCoreEntry *thread = th->core->thread_core;

	return thread->has_blk_sigset ? thread->blk_sigset
	       : th->core->tc	      ? th->core->tc->blk_sigset
				      : 0;
}

/* SIGCHLD of helpers and zombies that ended while the tree was built is nobody's business:
 * the default action, which is to ignore it, throws it away. */
static void tape_forget_children(struct restore *r, struct rtask *t)
{
	for (const struct rtask *c = t->first_child; c; c = c->next_child) {
		struct k_sigaction none = { 0 };

		if (rtask_lives(c))
			continue;
		tape_call(t->become, SYS_rt_sigaction,
			  TAPE_ARGS(tape_imm(SIGCHLD),
				    tape_at(area_add(&r->area, &none, sizeof(none))), tape_imm(0),
				    tape_imm(8)),
			  "forgetting SIGCHLD");
		return;
	}
}

/* Does M have it at its default, so that the tree inherits that? */
static bool default_here(int signal)
{
	struct sigaction now;

	return sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

int signal_tape(struct restore *r, struct rtask *t, struct error *err)
{
	const TaskCoreEntry *tc = t->core->tc;
	int signal = 0;

	if (tc->n_sigactions != SIGNALS - 2)
		return err_set(err, -EBADMSG, "core-%u.img: %zu signal handlers instead of %d",
			       t->pid, tc->n_sigactions, SIGNALS - 2);
	tape_forget_children(r, t);
	for (size_t i = 0; i < tc->n_sigactions; i++) {
		const SaEntry *sa = tc->sigactions[i];
		struct k_sigaction action = {
			.handler = sa->sigaction,
			.flags = sa->flags,
			.restorer = sa->restorer,
			.mask = sa->mask,
		};

		do
			signal++;
		while (signal == SIGKILL || signal == SIGSTOP);
		if (sa->has_compat_sigaction && sa->compat_sigaction)
			return err_set(err, -EOPNOTSUPP, "task %u (%s) has 32-bit signal handlers",
				       t->pid, rtask_comm(t));
		if (!action.handler && !action.flags && !action.mask && default_here(signal))
			continue;
		tape_call(t->become, SYS_rt_sigaction,
			  TAPE_ARGS(tape_imm((uint64_t)signal),
				    tape_at(area_add(&r->area, &action, sizeof(action))),
				    tape_imm(0), tape_imm(8)),
			  "action of signal %d", signal);
	}
	return 0;
}

void signal_tape_stack(struct restore *r, struct rthread *th)
{
	const ThreadSasEntry *sas = th->core->thread_core->sas;
	stack_t stack;

	if (!sas || sas->ss_flags & SS_DISABLE)
		return;
	stack = (stack_t){
		.ss_sp = (void *)(uintptr_t)sas->ss_sp,
		.ss_flags = (int)(sas->ss_flags & ~(uint32_t)SS_ONSTACK),
		.ss_size = sas->ss_size,
	};
	/* The first thread's frame sets it too, but tells no failure. */
	tape_call(th->tape, SYS_sigaltstack,
		  TAPE_ARGS(tape_at(area_add(&r->area, &stack, sizeof(stack)))), "signal stack");
}

static int tape_queue(struct restore *r, struct rtask *t, struct rthread *th,
		      const SignalQueueEntry *queue, bool thread, struct error *err)
{
	for (size_t i = 0; queue && i < queue->n_signals; i++) {
		const ProtobufCBinaryData *data = &queue->signals[i]->siginfo;
		uint64_t info;
		int signo;

		if (data->len != SIGINFO_SIZE)
			return err_set(err, -EBADMSG, "core-%u.img: siginfo of %zu bytes", th->tid,
				       data->len);
		memcpy(&signo, data->data, sizeof(signo));
		if (signo < 1 || signo > SIGNALS)
			return err_set(err, -EBADMSG, "core-%u.img: signal %d is waiting", th->tid,
				       signo);
		/* It can't be blocked, and would stop the task here and now. SIGCONT takes it away
		 * from a task that is stopped already. */
		if (signo == SIGSTOP && t->kind == RTASK_STOPPED)
			continue;
		info = area_add(&r->area, data->data, data->len);
		if (thread)
			tape_call(th->tape, SYS_rt_tgsigqueueinfo,
				  TAPE_ARGS(tape_imm(t->pid), tape_imm(th->tid),
					    tape_imm((uint64_t)signo), tape_at(info)),
				  "signal %d waiting for the thread", signo);
		else
			tape_call(th->tape, SYS_rt_sigqueueinfo,
				  TAPE_ARGS(tape_imm(t->pid), tape_imm((uint64_t)signo),
					    tape_at(info)),
				  "signal %d waiting", signo);
	}
	return 0;
}

int signal_tape_pending(struct restore *r, struct rtask *t, struct rthread *th, struct error *err)
{
	int ret = 0;

	if (th == &t->threads[0])
		ret = tape_queue(r, t, th, t->core->tc->signals_s, false, err);
	return ret < 0 ? ret : tape_queue(r, t, th, th->core->thread_core->signals_p, true, err);
}
