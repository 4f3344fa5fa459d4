/*
 * child-wait: sleeping until a traced thread may have stopped, for a limited time.
 *
 * waitid(2) has no time-out and pidfds say nothing of stops; but each stop
 * sends SIGCHLD, and a blocked signal can be waited for. Yielding in a loop
 * instead costs whole time slices on a busy machine, while targets stand still.
 *
 *	child_wait_begin(&wait);
 *	while (!waitid(... WNOHANG ...))
 *		child_wait_sleep(&wait, max_ns);
 *	child_wait_end(&wait);
 *
 * A SIGCHLD that the caller of the library might want is raised again.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct child_wait {
	sigset_t saved;
	unsigned int spins;
	bool taken; /* a SIGCHLD was, perhaps not for us alone */
};

void child_wait_begin(struct child_wait *wait);
void child_wait_sleep(struct child_wait *wait, uint64_t max_ns);
void child_wait_end(struct child_wait *wait);

#define cleanup_child_wait __attribute__((cleanup(child_wait_end)))
