/*
 * remote: see remote.h, and docs/design/injection.md for why each step is safe.
 *
 * The rule of this file: at every moment, the thread's registers, its mask and
 * the stub say together how it gets home without us. So the stub is planted
 * before the registers point at it, registers point at it before the mask
 * changes, and on the way back the mask is put right before the registers.
 */
#include "trace/remote.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "trace/area.h"
#include "trace/freeze-priv.h"
#include "trace/regs.h"
#include "trace/remote-priv.h"
#include "trace/slot.h"
#include "trace/stub.h"
#include "trace/tape.h"

/* DF, TF, AC, NT, RF: what the player must not inherit. */
#define EFLAGS_UNFIT UINT64_C(0x54500)

/* A signal that nothing in the target sees: ignored by default or explicitly, and not blocked (else
 * it might wait for it). */
int remote_choose_signal(uint64_t taken)
{
	static const int candidates[] = { SIGURG, SIGWINCH, SIGCHLD };

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (!(taken & remote_bit_of(candidates[i])))
			return candidates[i];
	}
	return 0;
}

int remote_check_dispatch(pid_t host_tid, struct error *err)
{
#ifdef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
	struct {
		uint64_t mode;
		uint64_t selector;
		uint64_t offset;
		uint64_t len;
	} config = { 0 };

	if (ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, host_tid,
		   sizeof(config), &config) == 0 &&
	    config.mode != PR_SYS_DISPATCH_OFF)
		return err_set(err, -EOPNOTSUPP, "thread %d dispatches its own system calls",
			       (int)host_tid);
#else
	(void)host_tid;
	(void)err;
#endif
	return 0;
}

int remote_suspend_seccomp(struct remote *remote, struct error *err)
{
	if (ptrace(PTRACE_SETOPTIONS, remote->host_tid, NULL,
		   FREEZE_PTRACE_OPTIONS | PTRACE_O_SUSPEND_SECCOMP) < 0) {
		int r = err_sys(err, "thread %d: suspend its seccomp filters",
				(int)remote->host_tid);

		err_hint(err, "needs CAP_SYS_ADMIN, outside of any seccomp filter");
		return r;
	}
	remote->seccomp_suspended = true;
	return 0;
}

static int use_status(struct remote *remote, const struct proc_status *status, struct error *err)
{
	int r;

	remote->ns_tgid = proc_ids_inner(&status->ns_tgid);
	remote->ns_tid = proc_ids_inner(&status->ns_pid);
	remote->sig_caught = status->sig_caught;
	remote->signal = remote_choose_signal(status->sig_caught | status->sig_blocked);
	if (status->shadow_stack)
		return err_set(err, -EOPNOTSUPP, "thread %d has a shadow stack",
			       (int)remote->host_tid);
	if (status->seccomp == 1)
		return err_set(err, -EOPNOTSUPP, "thread %d is in seccomp's strict mode",
			       (int)remote->host_tid);
	r = remote_check_dispatch(remote->host_tid, err);
	if (r == 0 && status->seccomp)
		r = remote_suspend_seccomp(remote, err);
	return r;
}

static int read_status(struct remote *remote, struct error *err)
{
	struct proc_status status;
	int r = proc_status_of(remote->host_tid, &status, err);

	if (r < 0)
		return r;
	r = use_status(remote, &status, err);
	proc_status_done(&status);
	return r;
}

/* Into the code of the target; all lengths are multiples of 8. */
int remote_poke(struct remote *remote, struct raddr to, const void *from, size_t len,
		struct error *err)
{
	int r = rmem_poke(remote->mem_fd, to, from, len, err);

	if (r == -EIO || r == -EACCES || r == -EPERM || r == -EFAULT)
		r = rmem_poke_traced(remote->host_tid, to, from, len, err);
	return r;
}

static int plant(struct remote *remote, struct error *err)
{
	struct user_regs_struct home = remote->regs;
	struct stub_layout layout;
	struct slot_room room;
	struct slot slot = { .head = { .magic = SLOT_MAGIC, .area_size = remote->area_size } };
	size_t i;
	int r;

	r = slot_look(remote->host_tid, &room, err);
	if (r < 0)
		return r;
	regs_resolve_restart(&home);
	stub_emit(
		&(struct stub_spec){
			.regs = &home,
			.area_size = remote->area_size,
			.with_map = true,
			.with_ping = true,
			.ns_tgid = remote->ns_tgid,
			.ns_tid = remote->ns_tid,
			.signal = remote->signal,
			.with_mask = true,
			.sigmask = remote->sigmask,
		},
		slot.stub, &layout);

	i = slot_choose(&room, &slot.head.sequence);
	remote->slot = raddr_add(slot_stub(&room, i), -sizeof(slot.head));
	r = remote_poke(remote, remote->slot, &slot, sizeof(slot), err);
	if (r < 0)
		return err_wrap(err, r, "task %d: plant the way home in its vDSO",
				(int)remote->host_tid);
	remote->state = REMOTE_PLANTED;
	remote->leave = slot_stub(&room, i).v + layout.leave;
	remote->area_imm = slot_stub(&room, i).v + layout.area_imm;
	remote->map = slot_stub(&room, i).v + layout.map;
	return 0;
}

static int map_area(struct remote *remote, struct error *err)
{
	struct user_regs_struct regs = remote->regs;
	int r;

	regs.rip = remote->map;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = SYS_mmap;
	regs.rdi = 0;
	regs.rsi = remote->area_size;
	regs.rdx = PROT_READ | PROT_WRITE | PROT_EXEC;
	regs.r10 = MAP_PRIVATE | MAP_ANONYMOUS;
	regs.r8 = (unsigned long long)-1;
	regs.r9 = 0;
	r = regs_set(remote->host_tid, &regs, err);
	if (r == 0)
		r = regs_set_sigmask(remote->host_tid, ~remote_bit_of(remote->signal), err);
	if (r == 0)
		r = remote_to_syscall(remote, err);
	if (r == 0)
		r = remote_to_syscall(remote, err);
	if (r == 0)
		r = regs_get(remote->host_tid, &regs, err);
	if (r < 0)
		return r;
	if ((long long)regs.rax < 0 && (long long)regs.rax >= -4095) {
		r = err_set(err, (int)regs.rax, "task %d: map %" PRIu64 " bytes in it: %s",
			    (int)remote->host_tid, remote->area_size, strerror((int)-regs.rax));
		err_hint(err, "is there a limit on its address space, or a policy against "
			      "executable memory?");
		return r;
	}
	remote->area = raddr_of(regs.rax);
	r = remote_poke(remote, raddr_of(remote->area_imm), &remote->area.v, sizeof(remote->area.v),
			err);
	if (r == 0)
		r = remote_poke(remote, raddr_add(remote->slot, offsetof(struct slot_head, area)),
				&remote->area.v, sizeof(remote->area.v), err);
	if (r < 0) {
		/* Behind its system call the stub needs no constant. */
		(void)remote_to_call(remote, NULL);
		return r;
	}
	remote->state = REMOTE_MAPPED;
	return 0;
}

static int play(struct remote *remote, const struct area *area, const struct tape *tape,
		struct error *err)
{
	cleanup_free void *image = malloc(area->image_len);
	struct user_regs_struct regs = remote->regs;
	int r;

	if (!image)
		return err_oom(err);
	area_write(area, image);
	r = rmem_write(remote->host_tid, remote->area, image, area->image_len, err);
	if (r < 0)
		return r;
	regs.rip = remote->area.v + area->player_at;
	regs.rsp = remote->area.v + tape->stack_at + tape->stack_size;
	regs.rdi = remote->area.v;
	regs.rsi = tape->index;
	regs.rbp = 0;
	regs.eflags &= ~EFLAGS_UNFIT;
	regs.orig_rax = (unsigned long long)-1;
	r = regs_set(remote->host_tid, &regs, err);
	if (r == 0)
		r = remote_to_call(remote, err);
	if (r < 0)
		return r;
	remote->state = REMOTE_PLAYED;
	r = rmem_read(remote->host_tid, remote->area, image, area->image_len, err);
	if (r < 0)
		return r;
	remote->live = take_ptr(&image);
	return 0;
}

/* The last two entries, whose values are known only now. */
static void fill_ending(const struct remote *remote, struct tape *tape)
{
	struct pie_entry *ping = &tape->entries[tape->n - 2];
	struct pie_entry *jump = &tape->entries[tape->n - 1];

	ping->args[0] = (uint64_t)remote->ns_tgid;
	ping->args[1] = (uint64_t)remote->ns_tid;
	ping->args[2] = (uint64_t)remote->signal;
	jump->args[0] = remote->leave;
	jump->args[1] = remote->regs.eflags;
}

static int add_ending(struct area *area, struct tape *tape, struct error *err)
{
	if (tape && tape->epilogue == PIE_NO_EPILOGUE)
		tape_epilogue(tape);
	(void)tape_call(tape, SYS_tgkill, TAPE_ARGS(), "call the tracer");
	(void)tape_op(tape, PIE_OP_JUMP, TAPE_ARGS(), "go home");
	return area_seal(area, err);
}

static int begin(struct remote *remote, const struct proc_status *status, struct area *area,
		 struct tape *tape, struct error *err)
{
	int r;

	r = add_ending(area, tape, err);
	if (r < 0)
		return r;
	remote->area_size = area->size;
	r = regs_get(remote->host_tid, &remote->regs, err);
	if (r == 0)
		r = regs_get_sigmask(remote->host_tid, &remote->sigmask, err);
	if (r == 0)
		r = status ? use_status(remote, status, err) : read_status(remote, err);
	if (r < 0)
		return r;
	remote->mem_fd = rmem_open(remote->host_tid, err);
	if (remote->mem_fd < 0)
		return remote->mem_fd;
	r = plant(remote, err);
	if (r == 0)
		r = map_area(remote, err);
	if (r < 0)
		return r;
	fill_ending(remote, tape);
	return play(remote, area, tape, err);
}

int remote_begin(struct remote *remote, pid_t host_tid, const struct proc_status *status,
		 struct area *area, struct tape *tape, struct error *err)
{
	int r;

	*remote = (struct remote)REMOTE_INIT;
	remote->host_tid = host_tid;
	r = begin(remote, status, area, tape, err);
	if (r == 0)
		r = area_fault(area, remote->live, err);
	if (r < 0) {
		remote_done(remote);
		return r;
	}
	log_debug("thread %d played %zu entries in %u stops", (int)host_tid, tape->n,
		  remote->n_stops);
	return 0;
}

/* Was the area really unmapped? Our own stub says nothing about it. */
static int check_unmapped(const struct remote *remote, struct error *err)
{
	char byte;

	if (rmem_read(remote->host_tid, remote->area, &byte, 1, NULL) == -EFAULT)
		return 0;
	return err_set(err, -EIO, "task %d: our area at %" PRIx64 " is still mapped",
		       (int)remote->host_tid, remote->area.v);
}

/* The word with the magic last: while it stands, the rest is known to be ours. */
static int clear_slot(struct remote *remote, struct raddr slot, struct error *err)
{
	static const uint64_t zero[SLOT_LEN / sizeof(uint64_t)];
	int r;

	r = remote_poke(remote, raddr_add(slot, sizeof(zero[0])), zero,
			sizeof(zero) - sizeof(zero[0]), err);
	if (r == 0)
		r = remote_poke(remote, slot, zero, sizeof(zero[0]), err);
	return r;
}

/* Mask before registers: until they are set, the stub would put the same mask. */
static int put_back(struct remote *remote, struct error *err)
{
	int r;

	r = regs_set_sigmask(remote->host_tid, remote->sigmask, err);
	if (r == 0)
		r = regs_set(remote->host_tid, &remote->regs, err);
	if (r == 0)
		r = clear_slot(remote, remote->slot, err);
	for (size_t i = 0; i < remote->n_thread_slots && r == 0; i++)
		r = clear_slot(remote, remote->thread_slots[i].at, err);
	if (r == 0)
		r = remote_to_trap(remote, err);
	return r;
}

/* From wherever it stands, by way of the stub: also after a fault in our code. */
static int leave(struct remote *remote, struct error *err)
{
	struct user_regs_struct regs = remote->regs;
	int r = 0;

	regs.rip = remote->leave;
	regs.orig_rax = (unsigned long long)-1;
	r = regs_set(remote->host_tid, &regs, err);
	if (r == 0)
		r = remote_to_call(remote, err);
	if (r == 0)
		r = check_unmapped(remote, err);
	return r;
}

int remote_end(struct remote *remote, struct error *err)
{
	int r = 0;

	if (remote->state >= REMOTE_MAPPED)
		r = leave(remote, err);
	if (r == 0 && remote->state >= REMOTE_PLANTED)
		r = put_back(remote, err);
	if (remote->seccomp_suspended &&
	    ptrace(PTRACE_SETOPTIONS, remote->host_tid, NULL, FREEZE_PTRACE_OPTIONS) < 0 && r == 0)
		r = err_sys(err, "thread %d: resume its seccomp filters", (int)remote->host_tid);
	if (r == 0)
		log_debug("thread %d was led home in %u stops", (int)remote->host_tid,
			  remote->n_stops);
	remote_drop(remote);
	return r;
}

void remote_drop(struct remote *remote)
{
	cleanup_fd_p(&remote->mem_fd);
	free(remote->live);
	*remote = (struct remote)REMOTE_INIT;
}

void remote_done(struct remote *remote)
{
	struct error torn = ERROR_INIT;
	pid_t host_tid = remote->host_tid;

	if ((remote->state != REMOTE_NONE || remote->seccomp_suspended) &&
	    remote_end(remote, &torn) < 0 && torn.code != -ESRCH)
		log_warn("%s: thread %d goes home by itself when this process ends", torn.text,
			 (int)host_tid);
	remote_drop(remote);
}
