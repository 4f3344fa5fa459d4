/*
 * relay: being between our caller and a process in a container, until that ends.
 */
#pragma once

#include <sys/types.h>

struct error;

/*
 * Blocks the signals that are passed on; to be called before the process is
 * made. The mask is this process's for the rest of its life.
 */
int relay_open(int *ret_signals, struct error *err);

/*
 * Waits for our child `pid`, passing on the signals we get and, with a
 * terminal (`master` not negative), what is typed and printed. Reaps all other children
 * meanwhile. *ret_code is the exit code, or 128 + signal.
 */
int relay_run(int signals, pid_t pid, int master, int *ret_code, struct error *err);
