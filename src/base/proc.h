/*
 * proc: what /proc says about tasks.
 *
 * Parsers take the text (any bytes: all are fuzzed) and return 0 or -EBADMSG;
 * the proc_..._of(pid) forms read the file and parse it: -ESRCH if the task is
 * gone. Unknown lines are skipped: kernels add them. The text must be followed
 * by a zero byte, which file_read_at() sees to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

#define PROC_COMM_MAX 64       /* kernel threads have long names */
#define PROC_PID_LEVELS_MAX 32 /* nested PID namespaces, as the kernel limits them */

/* /proc/PID/stat */
struct proc_stat {
	pid_t pid;
	char comm[PROC_COMM_MAX + 1];
	char state; /* R S D T t Z X I */
	pid_t ppid;
	pid_t pgrp; /* 0: not visible in the reader's PID namespace */
	pid_t session;
	int tty_nr;
	pid_t tpgid;
	unsigned int flags;
	uint64_t utime; /* clock ticks */
	uint64_t stime;
	int64_t priority;
	int64_t nice;
	int64_t num_threads;
	uint64_t starttime; /* clock ticks since boot */
	uint64_t start_code;
	uint64_t end_code;
	uint64_t start_stack;
	int exit_signal;
	int processor;
	unsigned int rt_priority;
	unsigned int policy;
	uint64_t start_data;
	uint64_t end_data;
	uint64_t start_brk;
	uint64_t arg_start;
	uint64_t arg_end;
	uint64_t env_start;
	uint64_t env_end;
	int exit_code; /* as wait(2) has it; 0 unless the reader may see it */
};

int proc_stat_parse(const char *text, size_t len, struct proc_stat *ret_stat, struct error *err);
int proc_stat_of(pid_t host_pid, struct proc_stat *ret_stat, struct error *err);
int proc_stat_of_thread(pid_t host_pid, pid_t host_tid, struct proc_stat *ret_stat,
			struct error *err);

/* One id in each PID namespace from the reader's own (level 0) to the task's. */
struct proc_ids {
	pid_t id[PROC_PID_LEVELS_MAX];
	size_t n;
};

/* The id in the task's own namespace. */
static inline pid_t proc_ids_inner(const struct proc_ids *ids)
{
	return ids->n ? ids->id[ids->n - 1] : 0;
}

/* /proc/PID/status */
struct proc_status {
	char comm[PROC_COMM_MAX + 1];
	char state;
	uint32_t umask;
	pid_t tgid;
	pid_t pid;
	pid_t ppid;
	pid_t tracer;
	uid_t uid[4]; /* real, effective, saved, filesystem */
	gid_t gid[4];
	gid_t *groups; /* owned */
	size_t n_groups;
	struct proc_ids ns_tgid;
	struct proc_ids ns_pid;
	struct proc_ids ns_pgid;
	struct proc_ids ns_sid;
	bool kernel_thread;
	unsigned int threads;
	uint64_t sig_pending; /* bit n-1 is signal n */
	uint64_t sig_shared_pending;
	uint64_t sig_blocked;
	uint64_t sig_ignored;
	uint64_t sig_caught;
	uint64_t cap_inheritable;
	uint64_t cap_permitted;
	uint64_t cap_effective;
	uint64_t cap_bounding;
	uint64_t cap_ambient;
	bool no_new_privs;
	int seccomp; /* SECCOMP_MODE_* */
	bool shadow_stack;
	bool has_mm; /* false: kernel thread or zombie */
	bool thp_enabled;
};

int proc_status_parse(const char *text, size_t len, struct proc_status *ret_status,
		      struct error *err);
int proc_status_of(pid_t host_pid, struct proc_status *ret_status, struct error *err);
int proc_status_of_thread(pid_t host_pid, pid_t host_tid, struct proc_status *ret_status,
			  struct error *err);
void proc_status_done(struct proc_status *status);

/* /proc/PID/limits; indexed by RLIMIT_*; RLIM_INFINITY is UINT64_MAX. */
#define PROC_N_LIMITS 16
struct proc_limits {
	uint64_t cur[PROC_N_LIMITS];
	uint64_t max[PROC_N_LIMITS];
};

int proc_limits_parse(const char *text, size_t len, struct proc_limits *ret_limits,
		      struct error *err);
int proc_limits_of(pid_t host_pid, struct proc_limits *ret_limits, struct error *err);

/* Numbers from a file like children: "12 13 14 ". The array is the caller's. */
int proc_pids_parse(const char *text, size_t len, pid_t **ret_pids, size_t *ret_n,
		    struct error *err);
/* All processes of the machine, as /proc shows them. */
int proc_processes(pid_t **ret_pids, size_t *ret_n, struct error *err);
/* Threads of a process, the leader first; children of all its threads. */
int proc_threads_of(pid_t host_pid, pid_t **ret_tids, size_t *ret_n, struct error *err);
int proc_children_of(pid_t host_pid, pid_t **ret_pids, size_t *ret_n, struct error *err);
int proc_children_of_thread(pid_t host_pid, pid_t host_tid, pid_t **ret_pids, size_t *ret_n,
			    struct error *err);
/* How many threads there are, or -ESRCH; cheaper than listing them. */
int proc_count_threads(pid_t host_pid);
/* Open descriptors in ascending order. */
int proc_fds_of(pid_t host_pid, int **ret_fds, size_t *ret_n, struct error *err);

/* What every /proc/PID/fdinfo/N begins with; `rest` is the text behind it (borrowed). */
struct proc_fdinfo {
	uint64_t pos;
	uint32_t flags; /* O_*, O_CLOEXEC included */
	int mnt_id;
	uint64_t ino; /* 0 on kernels before 5.14 */
	const char *rest;
};

int proc_fdinfo_parse(const char *text, size_t len, struct proc_fdinfo *ret_info,
		      struct error *err);
