/*
 * remote-thread: a few questions to a further thread of a process.
 *
 * No code runs in the area for it: the calls stand in the thread's own stub in
 * the padding, and only the kernel writes answers into the area. So it does not
 * matter for the thread when, without us, the first thread goes home and
 * unmaps the area: a call may fail with EFAULT, and the thread goes home, too.
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

/* One slot serves all further threads, one after the other. */
static int choose_slot(struct remote *remote, struct error *err)
{
	struct slot_room room;
	size_t i;
	int r;

	if (remote->thread_slot.v)
		return 0;
	r = slot_look(remote->host_tid, &room, err);
	if (r < 0)
		return r;
	i = slot_choose(&room, &remote->thread_sequence);
	if (slot_stub(&room, i).v == remote->slot.v + offsetof(struct slot, stub))
		return err_set(err, -EOPNOTSUPP,
			       "the padding of the vDSO has room for one thread only");
	remote->thread_slot = raddr_add(slot_stub(&room, i), -offsetof(struct slot, stub));
	return 0;
}

static uint64_t value_of(const struct remote *remote, const struct tape_arg *arg)
{
	return arg->kind == PIE_ARG_AREA ? remote->area.v + arg->value : arg->value;
}

static int plant(struct remote *remote, struct remote *thread, const struct remote_call *calls,
		 size_t n, struct stub_layout *ret_layout, struct error *err)
{
	struct slot slot = { .head = { .magic = SLOT_MAGIC, .sequence = remote->thread_sequence } };
	struct user_regs_struct home = thread->regs;
	struct stub_call stub_calls[STUB_CALLS_MAX];

	for (size_t i = 0; i < n; i++) {
		stub_calls[i].nr = calls[i].nr;
		for (size_t j = 0; j < 3; j++)
			stub_calls[i].args[j] = value_of(remote, &calls[i].args[j]);
	}
	regs_resolve_restart(&home);
	stub_emit(
		&(struct stub_spec){
			.regs = &home,
			.calls = stub_calls,
			.n_calls = n,
			.with_ping = true,
			.signal = thread->signal,
			.with_mask = true,
			.sigmask = thread->sigmask,
		},
		slot.stub, ret_layout);
	return remote_poke(remote, remote->thread_slot, &slot, sizeof(slot), err);
}

/* As in remote.c: at each moment the thread can get home by itself. */
static int run(struct remote *thread, const struct stub_layout *layout, struct remote_call *calls,
	       size_t n, struct error *err)
{
	struct user_regs_struct regs = thread->regs;
	int back;
	int r;

	regs.rip = thread->slot.v + offsetof(struct slot, stub) + layout->calls;
	regs.orig_rax = (unsigned long long)-1;
	r = regs_set(thread->host_tid, &regs, err);
	if (r < 0)
		return r;
	r = regs_set_sigmask(thread->host_tid, ~remote_bit_of(thread->signal), err);
	if (r == 0)
		r = remote_to_call(thread, err);
	if (r == 0)
		r = regs_get(thread->host_tid, &regs, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		calls[i].result = stub_result(&regs, i);
	/* Whatever has happened, it gets back what it had. */
	back = regs_set_sigmask(thread->host_tid, thread->sigmask, r < 0 ? NULL : err);
	if (back == 0)
		back = regs_set(thread->host_tid, &thread->regs, r < 0 ? NULL : err);
	return r < 0 ? r : back;
}

int remote_ask_thread(struct remote *remote, pid_t host_tid, struct remote_call *calls, size_t n,
		      struct error *err)
{
	struct remote thread = { .host_tid = host_tid, .mem_fd = remote->mem_fd };
	struct stub_layout layout;
	int r;

	if (remote->state != REMOTE_PLAYED || n > REMOTE_CALLS_MAX)
		return err_set(err, -EINVAL, "thread %d can't be asked now", (int)host_tid);
	r = choose_slot(remote, err);
	if (r == 0)
		r = regs_get(host_tid, &thread.regs, err);
	if (r == 0)
		r = regs_get_sigmask(host_tid, &thread.sigmask, err);
	if (r == 0)
		r = remote_check_dispatch(host_tid, err);
	if (r == 0 && remote->seccomp_suspended)
		r = remote_suspend_seccomp(&thread, err);
	if (r < 0)
		return r;
	thread.slot = remote->thread_slot;
	thread.signal = remote_choose_signal(remote->sig_caught | thread.sigmask);
	r = plant(remote, &thread, calls, n, &layout, err);
	if (r == 0)
		r = run(&thread, &layout, calls, n, err);
	if (thread.seccomp_suspended &&
	    ptrace(PTRACE_SETOPTIONS, host_tid, NULL, FREEZE_PTRACE_OPTIONS) < 0 && r == 0)
		r = err_sys(err, "thread %d: resume its seccomp filters", (int)host_tid);
	remote->n_stops += thread.n_stops;
	return r;
}
