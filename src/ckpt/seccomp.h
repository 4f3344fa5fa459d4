/*
 * seccomp: the filters of threads, all in one image.
 *
 * seccomp.img has one record with a list of filters. A thread names the one it
 * installed first; each names as `prev` the one to be installed after it:
 *
 *	thread -> [2] first installed, prev 1 -> [1] prev 0 -> [0] last installed
 */
#pragma once

#include "base/proc.h"

struct dump;
struct dump_thread;
struct error;

/* Of a stopped thread; sets the mode and the filter in its core record. */
int seccomp_collect(struct dump *dump, struct dump_thread *thread, const struct proc_status *status,
		    struct error *err);
int seccomp_write(struct dump *dump, struct error *err);
