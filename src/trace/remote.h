/*
 * remote: a stopped thread plays a tape for us, and never notices.
 *
 *	struct remote remote = REMOTE_INIT;	(cleanup_remote)
 *	r = remote_begin(&remote, tid, &status, &area, tape, err);
 *	... tape_result(tape, remote.live, entry), remote.live + offset ...
 *	r = remote_end(&remote, err);		(or the target is killed, without it)
 *
 * Between begin and end the area is mapped in the target and the thread stands
 * at the end of the tape. If we die there, or anywhere between, or the target
 * is detached: the thread goes on by itself, unmaps the area, puts its mask and
 * registers back and is where it was (docs/design/injection.md). remote_end
 * does the same under our eyes and leaves the thread stopped with exactly the
 * registers it had.
 *
 * The thread must be in a PTRACE_EVENT_STOP (freeze.h) and all other threads
 * of its process must be stopped too. One thread of a process at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "pie/abi.h"
#include "trace/remote-mem.h"
#include "trace/stub.h"
#include "trace/tape.h"
#include <errno.h>

struct area;
struct error;
struct proc_status;

enum remote_state {
	REMOTE_NONE,	/* nothing of ours is in the target */
	REMOTE_PLANTED, /* its vDSO padding holds our stub, registers may point into it */
	REMOTE_MAPPED,	/* the area is mapped, too */
	REMOTE_PLAYED,	/* the thread stands at the end of the tape */
};

#define REMOTE_THREAD_SLOTS 2 /* one thread answers while another is prepared */

struct remote {
	enum remote_state state;
	pid_t host_tid;
	int mem_fd;		      /* /proc/TID/mem */
	struct user_regs_struct regs; /* as they were */
	uint64_t sigmask;	      /* as it was */
	int32_t ns_tgid;	      /* as the target itself would say */
	int32_t ns_tid;
	uint64_t sig_caught; /* signals that the process handles */
	int signal;	     /* that it calls us with; 0: watched by system call stops */
	struct raddr area;   /* in the target */
	uint64_t area_size;
	struct raddr slot; /* in the padding of the vDSO: head and stub */
	/* Slots for further threads; none yet: 0. */
	struct remote_slot {
		struct raddr at;
		uint32_t sequence;
	} thread_slots[REMOTE_THREAD_SLOTS];
	size_t n_thread_slots;
	/* Addresses in the stub: its system call, its way home, its constant. */
	uint64_t map;
	uint64_t leave;
	uint64_t area_imm;
	struct pie_area *live; /* the area's image after the play; owned */
	unsigned int n_stops;  /* ptrace stops it took so far */
	bool seccomp_suspended;
	struct user_regs_struct at_call; /* registers when it called us last */
};

#define REMOTE_INIT                                                                                \
	{                                                                                          \
		.mem_fd = -EBADF                                                                   \
	}

/*
 * Adds the ending to the tape, seals the area, maps it in the target, plays the
 * tape there and reads the area back. On failure the thread is stopped as it
 * was, with nothing mapped; an entry that failed is told by its label.
 * -EOPNOTSUPP: nothing can be planted in this target, and why. `status` is the thread's, as
 * read since it stopped; NULL: not read yet.
 */
int remote_begin(struct remote *remote, pid_t host_tid, const struct proc_status *status,
		 struct area *area, struct tape *tape, struct error *err);

/* A question to a thread: a system call of up to three arguments, which may be numbers and
 * addresses in the area (tape_imm, tape_at). */
struct remote_call {
	uint32_t nr;
	struct tape_arg args[3];
	int64_t result;
};

#define REMOTE_CALLS_MAX STUB_CALLS_MAX

struct remote_question {
	pid_t host_tid;
	/* Its registers and mask, if they are known already (as they are: a call that was
	 * interrupted not resolved). */
	const struct user_regs_struct *regs;
	uint64_t sigmask;
	bool filtered; /* it has seccomp filters: they are suspended meanwhile */
	struct remote_call calls[REMOTE_CALLS_MAX];
	size_t n_calls;
};

/*
 * Between begin and end of one thread of a process, others of it can be asked a
 * few things each, far cheaper than by a tape of their own: one ptrace stop. The
 * threads come back stopped with the registers they had, in whatever kind of stop.
 * What the calls have put into the area is there to be read (remote_read). On
 * failure, too, all are as they were.
 */
int remote_ask_threads(struct remote *remote, struct remote_question *questions, size_t n,
		       struct error *err);

/* Bytes of the area as they are now in the target. */
int remote_read(const struct remote *remote, uint64_t offset, void *to, size_t len,
		struct error *err);

/* The thread is as it was before remote_begin, in a PTRACE_EVENT_STOP. */
int remote_end(struct remote *remote, struct error *err);

/* The target is dead or will be killed: forgets it, touches nothing. */
void remote_drop(struct remote *remote);

/* The net: ends what was begun. */
void remote_done(struct remote *remote);

#define cleanup_remote __attribute__((cleanup(remote_done)))
