/*
 * proc-stat: /proc/PID/stat, one line of numbers around a name of any bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc-priv.h"
#include "base/proc.h"
#include "base/scan.h"

/* Fields are counted from 1 as in proc(5); the first behind the name is the state. */
#define FIELD_STATE 3
#define FIELD_EXIT_CODE 52

static int bad(struct error *err, const char *what)
{
	return err_set(err, -EBADMSG, "stat: %s", what);
}

static void fill(struct proc_stat *stat, const uint64_t *f)
{
	stat->ppid = (pid_t)f[4];
	stat->pgrp = (pid_t)f[5];
	stat->session = (pid_t)f[6];
	stat->tty_nr = (int)f[7];
	stat->tpgid = (pid_t)f[8];
	stat->flags = (unsigned int)f[9];
	stat->utime = f[14];
	stat->stime = f[15];
	stat->priority = (int64_t)f[18];
	stat->nice = (int64_t)f[19];
	stat->num_threads = (int64_t)f[20];
	stat->starttime = f[22];
	stat->start_code = f[26];
	stat->end_code = f[27];
	stat->start_stack = f[28];
	stat->exit_signal = (int)f[38];
	stat->processor = (int)f[39];
	stat->rt_priority = (unsigned int)f[40];
	stat->policy = (unsigned int)f[41];
	stat->start_data = f[45];
	stat->end_data = f[46];
	stat->start_brk = f[47];
	stat->arg_start = f[48];
	stat->arg_end = f[49];
	stat->env_start = f[50];
	stat->env_end = f[51];
	stat->exit_code = (int)f[FIELD_EXIT_CODE];
}

/* Signed and unsigned fields alike; unsigned ones may use all 64 bits. */
static bool scan_field(const char **p, uint64_t *ret)
{
	int64_t v;

	if (**p != '-')
		return scan_u64(p, 10, ret);
	if (!scan_i64(p, &v))
		return false;
	*ret = (uint64_t)v;
	return true;
}

int proc_stat_parse(const char *text, size_t len, struct proc_stat *ret_stat, struct error *err)
{
	uint64_t fields[FIELD_EXIT_CODE + 1] = { 0 };
	struct proc_stat stat = { 0 };
	const char *p = text;
	const char *open;
	const char *close;
	size_t comm_len;

	if (strlen(text) != len)
		return bad(err, "zero byte in the text");
	if (!scan_int(&p, &stat.pid) || !scan_literal(&p, " ("))
		return bad(err, "does not begin with a pid and a name");
	open = p;
	close = strrchr(p, ')'); /* the name may hold any byte, the rest has none of these */
	if (!close)
		return bad(err, "the name has no end");
	comm_len = (size_t)(close - open);
	if (comm_len > PROC_COMM_MAX)
		return bad(err, "the name is too long");
	memcpy(stat.comm, open, comm_len);

	p = close + 1;
	if (!scan_literal(&p, " ") || !*p || *p == '\n')
		return bad(err, "no state");
	stat.state = *p++;
	for (unsigned int i = FIELD_STATE + 1; i <= FIELD_EXIT_CODE; i++) {
		if (!scan_literal(&p, " ") || !scan_field(&p, &fields[i]))
			return err_set(err, -EBADMSG, "stat: field %u is missing or no number", i);
	}
	fill(&stat, fields);
	*ret_stat = stat;
	return 0;
}

static int stat_at(const char *path, struct proc_stat *ret_stat, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = proc_read_record(path, PROC_TEXT_SMALL, &text, &len, err);
	if (r < 0)
		return r;
	r = proc_stat_parse(text, len, ret_stat, err);
	if (r < 0)
		return err_wrap(err, r, "%s", path);
	return 0;
}

int proc_stat_of(pid_t host_pid, struct proc_stat *ret_stat, struct error *err)
{
	char path[PROC_PATH_MAX];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)host_pid);
	return stat_at(path, ret_stat, err);
}

int proc_stat_of_thread(pid_t host_pid, pid_t host_tid, struct proc_stat *ret_stat,
			struct error *err)
{
	char path[PROC_PATH_MAX];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)host_pid, (int)host_tid);
	return stat_at(path, ret_stat, err);
}
