/*
 * victim: processes that notice everything, for the tests of injection.
 *
 * Each victim does one thing over and over, counts its rounds in shared memory,
 * and counts as bad whatever a program must not see: EINTR, a short sleep, a
 * changed register, a signal.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

struct victim_shared {
	atomic_int ready;
	atomic_ulong rounds;
	atomic_int bad;
	atomic_int bad_line;	/* of victim.c */
	atomic_int interrupted; /* EINTR from calls that give it for any ptrace stop */
	int pipe[2];
};

struct victim_kind {
	const char *name;
	void (*run)(struct victim_shared *shared);
	int has_input;		   /* waits for bytes in its pipe, and checks their order */
	unsigned long clone_flags; /* namespaces of its own */
};

/* epoll_wait(2) and a few more answer a mere stop with EINTR; the freeze hides it, unless the
 * tracer is killed in between. */
extern const struct victim_kind victim_kinds[];
extern const unsigned int n_victim_kinds;

struct victim {
	const struct victim_kind *kind;
	struct victim_shared *shared;
	pid_t pid;
	unsigned char next_input;
};

void victim_start(struct victim *victim, const struct victim_kind *kind);
/* Feeds it if it waits for input, and waits until it has done a round after this call. */
void victim_expect_progress(struct victim *victim);
/* Kills it; fails the test if it has noticed anything. */
void victim_end(struct victim *victim);
