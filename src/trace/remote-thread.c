/*
 * remote-thread: a few questions to a further thread of a process.
 *
 * No code runs in the area for it: the calls stand in a stub of the thread's in
 * the padding, and only the kernel writes answers into the area. So it does not
 * matter for the thread when, without us, the first thread goes home and
 * unmaps the area: a call may fail with EFAULT, and the thread goes home, too.
 * The padding has room for two or so: while one thread answers, the one before
 * is put back, and the next one prepared.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>

#include "base/err.h"
#include "trace/freeze-priv.h"
#include "trace/regs.h"
#include "trace/remote-priv.h"
#include "trace/slot.h"

int remote_read(const struct remote *remote, uint64_t offset, void *to, size_t len,
		struct error *err)
{
	if (remote->state != REMOTE_PLAYED || offset > remote->area_size ||
	    len > remote->area_size - offset)
		return err_set(err, -EINVAL, "no such bytes in the area");
	return rmem_read(remote->host_tid, raddr_add(remote->area, offset), to, len, err);
}

/* As many as there is room for; all threads share them. */
static int choose_slots(struct remote *remote, struct error *err)
{
	struct slot_room room;
	int r;

	if (remote->n_thread_slots)
		return 0;
	r = slot_look(remote->host_tid, &room, err);
	if (r < 0)
		return r;
	for (size_t n = 0; n < room.n && remote->n_thread_slots < REMOTE_THREAD_SLOTS; n++) {
		struct remote_slot slot;
		size_t i = slot_choose(&room, &slot.sequence);

		slot.at = raddr_add(slot_stub(&room, i), -offsetof(struct slot, stub));
		room.heads[i].sequence = slot.sequence;
		if (slot.at.v != remote->slot.v)
			remote->thread_slots[remote->n_thread_slots++] = slot;
	}
	if (!remote->n_thread_slots)
		return err_set(err, -EOPNOTSUPP,
			       "the padding of the vDSO has room for one thread only");
	return 0;
}

static uint64_t value_of(const struct remote *remote, const struct tape_arg *arg)
{
	return arg->kind == PIE_ARG_AREA ? remote->area.v + arg->value : arg->value;
}

/* A thread on its way through its slot. */
struct visit {
	struct remote thread;
	struct remote_question *question; /* NULL: the slot is free */
	struct stub_layout layout;
};

static int plant(struct remote *remote, struct visit *visit, const struct remote_slot *at,
		 struct error *err)
{
	const struct remote_question *q = visit->question;
	struct slot slot = { .head = { .magic = SLOT_MAGIC, .sequence = at->sequence } };
	struct user_regs_struct home = visit->thread.regs;
	struct stub_call calls[STUB_CALLS_MAX];

	for (size_t i = 0; i < q->n_calls; i++) {
		calls[i].nr = q->calls[i].nr;
		for (size_t j = 0; j < 3; j++)
			calls[i].args[j] = value_of(remote, &q->calls[i].args[j]);
	}
	regs_resolve_restart(&home);
	stub_emit(
		&(struct stub_spec){
			.regs = &home,
			.calls = calls,
			.n_calls = q->n_calls,
			.with_ping = true,
			.signal = visit->thread.signal,
			.with_mask = true,
			.sigmask = visit->thread.sigmask,
		},
		slot.stub, &visit->layout);
	return remote_poke(remote, at->at, &slot, sizeof(slot), err);
}

/* Whatever has happened, it gets back what it had. */
static int put_back(struct visit *visit, struct error *err)
{
	const struct remote *thread = &visit->thread;
	int r = regs_set_sigmask(thread->host_tid, thread->sigmask, err);

	if (r == 0)
		r = regs_set(thread->host_tid, &thread->regs, err);
	return r;
}

static int unsuspend(const struct visit *visit, struct error *err)
{
	const struct remote *thread = &visit->thread;

	if (thread->seccomp_suspended &&
	    ptrace(PTRACE_SETOPTIONS, thread->host_tid, NULL, FREEZE_PTRACE_OPTIONS) < 0)
		return err_sys(err, "thread %d: resume its seccomp filters", (int)thread->host_tid);
	return 0;
}

/* As in remote.c: at each moment the thread can get home by itself. */
static int depart(struct visit *visit, struct error *err)
{
	struct remote *thread = &visit->thread;
	struct user_regs_struct regs = thread->regs;
	int r;

	regs.rip = thread->slot.v + offsetof(struct slot, stub) + visit->layout.calls;
	regs.orig_rax = (unsigned long long)-1;
	r = regs_set(thread->host_tid, &regs, err);
	if (r < 0)
		return r;
	r = regs_set_sigmask(thread->host_tid, ~remote_bit_of(thread->signal), err);
	if (r == 0)
		r = remote_go(thread, err);
	if (r < 0)
		(void)put_back(visit, NULL);
	return r;
}

static int know_registers(struct visit *visit, struct error *err)
{
	const struct remote_question *q = visit->question;
	struct remote *thread = &visit->thread;
	int r;

	if (q->regs) {
		thread->regs = *q->regs;
		thread->sigmask = q->sigmask;
		return 0;
	}
	r = regs_get(q->host_tid, &thread->regs, err);
	return r < 0 ? r : regs_get_sigmask(q->host_tid, &thread->sigmask, err);
}

static int begin_visit(struct remote *remote, const struct remote_slot *slot, struct visit *visit,
		       struct remote_question *question, struct error *err)
{
	struct remote *thread = &visit->thread;
	int r;

	if (question->n_calls > REMOTE_CALLS_MAX)
		return err_set(err, -EINVAL, "thread %d is asked too much",
			       (int)question->host_tid);
	*visit = (struct visit){ .question = question };
	thread->host_tid = question->host_tid;
	thread->mem_fd = remote->mem_fd;
	thread->slot = slot->at;
	r = know_registers(visit, err);
	if (r == 0)
		r = remote_check_dispatch(thread->host_tid, err);
	if (r == 0 && question->filtered)
		r = remote_suspend_seccomp(thread, err);
	thread->signal = remote_choose_signal(remote->sig_caught | thread->sigmask);
	if (r == 0)
		r = plant(remote, visit, slot, err);
	if (r == 0)
		r = depart(visit, err);
	if (r < 0) {
		(void)unsuspend(visit, NULL);
		visit->question = NULL;
	}
	return r;
}

static int end_visit(struct remote *remote, struct visit *visit, struct error *err)
{
	struct remote_question *q = visit->question;
	struct remote *thread = &visit->thread;
	int back;
	int r;

	if (!q)
		return 0;
	visit->question = NULL;
	r = remote_come(thread, err);
	for (size_t i = 0; r == 0 && i < q->n_calls; i++)
		q->calls[i].result = stub_result(&thread->at_call, i);
	back = put_back(visit, r < 0 ? NULL : err);
	r = r < 0 ? r : back;
	back = unsuspend(visit, r < 0 ? NULL : err);
	remote->n_stops += thread->n_stops;
	return r < 0 ? r : back;
}

int remote_ask_threads(struct remote *remote, struct remote_question *questions, size_t n,
		       struct error *err)
{
	struct visit visits[REMOTE_THREAD_SLOTS] = { { .question = NULL } };
	int r = 0;

	if (remote->state != REMOTE_PLAYED)
		return err_set(err, -EINVAL, "thread %d can't ask others now",
			       (int)remote->host_tid);
	if (n)
		r = choose_slots(remote, err);
	for (size_t i = 0; i < n && r == 0; i++) {
		size_t s = i % remote->n_thread_slots;

		r = end_visit(remote, &visits[s], err);
		if (r == 0)
			r = begin_visit(remote, &remote->thread_slots[s], &visits[s], &questions[i],
					err);
	}
	for (size_t s = 0; s < remote->n_thread_slots; s++) {
		int last = end_visit(remote, &visits[s], r < 0 ? NULL : err);

		r = r < 0 ? r : last;
	}
	return r;
}
