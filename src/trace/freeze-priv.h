/*
 * freeze-priv: between the tree (freeze.c), its lists (freeze-list.c) and the
 * stopping of one thread (freeze-stop.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace/freeze.h"

/* Whatever a thread of ours makes is ours. TRACESYSGOOD: a tracer that dies in a syscall stop
 * leaves 0x85 behind as the stop's code, which is no signal; a plain SIGTRAP would kill. */
#define FREEZE_PTRACE_OPTIONS                                                                      \
	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |     \
	 PTRACE_O_TRACESYSGOOD)

struct freeze_slot {
	pid_t host_tid; /* 0: empty */
	size_t task;
	size_t thread;
};

/* Lists. Pointers into them end with the next addition. */
int freeze_add_task(struct freeze *f, pid_t host_pid, pid_t host_ppid, size_t *ret_task,
		    struct error *err);
int freeze_add_thread(struct freeze *f, size_t task, pid_t host_tid, struct error *err);
/* The slot of a thread, or of a task that has none (by its pid); NULL: unknown. */
struct freeze_slot *freeze_slot_of(const struct freeze *f, pid_t host_tid);
/* Drops tasks without threads that are no zombies, and threads that are gone. */
void freeze_compact(struct freeze *f);
/* Parents before their children, the root first. */
int freeze_sort(struct freeze *f, struct error *err);

/*
 * Takes hold of a thread: 1 it is ours (and known) now, 0 it is dead or gone.
 * -EBUSY: another tracer has it.
 */
int freeze_seize(struct freeze *f, size_t task, pid_t host_tid, struct error *err);

/*
 * A tracer before us may have been killed over a thread that is still on its
 * way home (slot.h). Such threads of a stopped task are let run on a little;
 * the number of them, to be waited for again.
 */
int freeze_let_home(struct freeze *f, size_t task, struct error *err);

/* Waits for all known threads until the deadline (CLOCK_MONOTONIC). */
int freeze_wait_all(struct freeze *f, uint64_t deadline_ns, struct error *err);
