/*
 * remote: a stopped thread plays a tape for us, and never notices.
 *
 *	struct remote remote = REMOTE_INIT;	(cleanup_remote)
 *	r = remote_begin(&remote, tid, &area, tape, err);
 *	... remote.live holds the area as the target left it ...
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
#include <errno.h>

struct area;
struct error;
struct tape;

struct remote {
	pid_t host_tid;
	int mem_fd;		      /* /proc/TID/mem */
	struct user_regs_struct regs; /* as it was */
	uint64_t sigmask;	      /* as it was */
	int signal;		      /* the signal it calls us with; 0: watched by syscall stops */
	struct raddr area;	      /* where the area is in the target */
	uint64_t area_size;
	struct raddr stub; /* in the padding of the vDSO */
	size_t stub_len;
	uint64_t leave_offset;	/* in the stub: where the end of the play jumps to */
	struct pie_area *live;	/* copy of the area's image after the play; owned */
	unsigned int n_stops;	/* ptrace stops it took so far */
	bool planted;		/* the padding holds our stub */
	bool mapped;		/* the area is mapped in the target */
	bool suspended_seccomp; /* PTRACE_O_SUSPEND_SECCOMP is set */
};

#define REMOTE_INIT                                                                                \
	{                                                                                          \
		.mem_fd = -EBADF                                                                   \
	}

/*
 * Maps the area, plays the tape in it and reads it back. The area must be
 * sealed; its tape must not end by itself (JUMP and so on are added here). On
 * failure the thread is stopped as it was, with nothing mapped; a tape that
 * failed is told by its label. -EOPNOTSUPP: nothing can be planted in this
 * target, and why.
 */
int remote_begin(struct remote *remote, pid_t host_tid, const struct area *area,
		 const struct tape *tape, struct error *err);

/* The thread is as it was before remote_begin, in a PTRACE_EVENT_STOP. */
int remote_end(struct remote *remote, struct error *err);

/* The target is dead or will be killed: forgets it, touches nothing. */
void remote_drop(struct remote *remote);

/* The net: ends what was begun. */
void remote_done(struct remote *remote);

#define cleanup_remote __attribute__((cleanup(remote_done)))
