/*
 * freeze: a whole process tree, stopped by ptrace and by nothing else.
 *
 * Every thread is seized and interrupted; children and threads born meanwhile
 * are caught by the kernel for us (TRACEFORK, TRACEVFORK, TRACECLONE). When
 * freeze_begin() has returned, every living thread of the tree sits in a
 * PTRACE_EVENT_STOP: no signal is held back by us, no system call is
 * half-traced. Ptrace stops end with the tracer, so a tracer that is killed
 * leaves a running tree behind.
 *
 * Signals that arrive while the tree is being stopped are delivered as they
 * would have been without us. Tasks that job control had stopped stay stopped.
 *
 * From a single-threaded process only: ptrace and waitpid are bound to the
 * thread. Only tids of the tree are waited for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

struct frozen_thread {
	pid_t host_tid;
	bool stopped;	 /* in a PTRACE_EVENT_STOP of ours */
	bool gone;	 /* died while being stopped */
	bool waking;	 /* runs on for a moment: the child a vfork parent waits for */
	bool looked;	 /* its children were read since it stopped */
	int stop_signal; /* job control stop: SIGSTOP, SIGTSTP, ...; else 0 */
};

struct frozen_task {
	pid_t host_pid;
	pid_t host_ppid;	/* as the caller's PID namespace sees it */
	bool home;		/* no thread of it is in code of ours */
	bool zombie;		/* dead, not reaped by its parent: not traced; threads is empty */
	int stop_signal;	/* the task was in a job control stop by this signal; else 0 */
	uint64_t leaderless_ns; /* since when its leader is seen dead, and others alive; 0: not */
	struct frozen_thread *threads; /* [0] is the leader */
	size_t n_threads;
};

struct freeze {
	struct frozen_task *tasks; /* the root first, parents before their children */
	size_t n_tasks;
	pid_t host_root;
	uint64_t began_ns;  /* CLOCK_MONOTONIC */
	uint64_t frozen_ns; /* all stopped; 0: not yet */
	bool active;
	bool deaths; /* a task died since its parent was looked at: orphans may have moved */
	bool moved;  /* that has happened at some time */
	uint64_t deadline_ns;
	struct freeze_guard *guard; /* while it is being built */
	struct freeze_slot *table;  /* tid to task, while it is being built */
	size_t table_size;
	size_t table_used;
};

#define FREEZE_INIT                                                                                \
	{                                                                                          \
		.active = false                                                                    \
	}

/*
 * Stops the tree below `host_root`. On failure everything is as it was.
 * -ESRCH: no such process. -EBUSY: some task has another tracer (named in the
 * text). -ETIMEDOUT: tasks that did not stop are named, with the reason if it
 * can be seen (a vfork parent whose child does not exec, uninterruptible
 * sleep). timeout_ms 0: 10 seconds.
 */
int freeze_begin(struct freeze *f, pid_t host_root, unsigned int timeout_ms, struct error *err);

/* All go on as they were. -ESRCH if a task has vanished meanwhile (the others do go on). */
int freeze_thaw(struct freeze *f, struct error *err);

/* Like thaw, but each task is left in a job control stop (SIGSTOP). */
int freeze_leave_stopped(struct freeze *f, struct error *err);

/*
 * SIGKILL for all; returns when all are dead and no longer ours. When the last
 * signal was sent (CLOCK_MONOTONIC) is told in *ret_sent_ns, which may be NULL:
 * taking a PID namespace down takes the kernel milliseconds longer.
 */
int freeze_kill(struct freeze *f, uint64_t *ret_sent_ns, struct error *err);

/* The net: thaws what is still frozen, frees the lists. */
void freeze_done(struct freeze *f);

struct frozen_task *freeze_find(struct freeze *f, pid_t host_pid);

#define cleanup_freeze __attribute__((cleanup(freeze_done)))
