/*
 * cgroup-warm: an early start for what takes longest.
 *
 * Moving a process between groups waits for one grace period of the kernel's
 * RCU (10 ms at HZ=100), unless another move has just been: then the kernel
 * still is prepared. So a helper process moves itself to the very groups it is
 * in while we read files and build mounts, and the real move comes at once.
 * Nothing depends on it; a failure costs only time.
 */
#pragma once

#include <errno.h>
#include <sys/types.h>

struct cgroup_warm {
	pid_t helper; /* 0: none */
};

#define CGROUP_WARM_INIT                                                                           \
	{                                                                                          \
		.helper = 0                                                                        \
	}

void cgroup_warm_begin(struct cgroup_warm *warm);

/* Waits for the helper. */
void cgroup_warm_end(struct cgroup_warm *warm);

#define cleanup_cgroup_warm __attribute__((cleanup(cgroup_warm_end)))
