/*
 * kern: what this kernel can do for us.
 *
 * Each feature is probed by trying it, never by comparing versions, the first
 * time it is asked for; the answers are then constant for the life of the
 * process. Probing needs no privilege beyond what using the feature needs: a
 * feature we may not use is a feature we don't have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum kern_feature {
	KERN_CLONE3_SET_TID,	     /* choosing the pid of a new task (5.5) */
	KERN_PIDFD_GETFD,	     /* descriptors of others (5.6) */
	KERN_OPENAT2,		     /* 5.6 */
	KERN_CLOSE_RANGE,	     /* 5.9 */
	KERN_TIME_NS,		     /* time namespaces (5.6) */
	KERN_PAGEMAP_SCAN,	     /* ioctl of /proc/PID/pagemap (6.7) */
	KERN_PAGEMAP_SCAN_GUARDS,    /* ... which tells guard pages from others (6.16) */
	KERN_UFFD_WP_ASYNC,	     /* write tracking by userfaultfd (6.7) */
	KERN_UFFD_MOVE,		     /* moving pages by userfaultfd (6.8) */
	KERN_SOFT_DIRTY,	     /* write tracking by soft-dirty bits */
	KERN_RSEQ_CONFIGURATION,     /* PTRACE_GET_RSEQ_CONFIGURATION (5.13) */
	KERN_PROC_CHILDREN,	     /* /proc/PID/task/TID/children */
	KERN_KCMP,		     /* kcmp(2) */
	KERN_MEMFD_EXEC,	     /* memfd_create(MFD_EXEC) is known (6.3) */
	KERN_CAP_SYS_RESOURCE,	     /* we have it: limits can be raised */
	KERN_CAP_CHECKPOINT_RESTORE, /* we have it, or CAP_SYS_ADMIN */
	KERN_N_FEATURES,
};

bool kern_has(enum kern_feature feature);

/* Short name ("clone3-set-tid") and, in words, what is missing without it. */
const char *kern_name(enum kern_feature feature);
const char *kern_need(enum kern_feature feature);

/* The feature of that name, or -EINVAL. */
int kern_find(const char *name);
