/*
 * proc-list: which threads, children and descriptors a process has.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc-priv.h"
#include "base/proc.h"
#include "base/scan.h"

struct ints {
	int *v;
	size_t n;
	size_t size;
};

static int ints_add(struct ints *ints, int v)
{
	if (ints->n == ints->size) {
		size_t size = ints->size ? 2 * ints->size : 8;
		int *more = reallocarray(ints->v, size, sizeof(int));

		if (!more)
			return -ENOMEM;
		ints->v = more;
		ints->size = size;
	}
	ints->v[ints->n++] = v;
	return 0;
}

static void ints_done(struct ints *ints)
{
	free(ints->v);
}

#define cleanup_ints __attribute__((cleanup(ints_done)))

static int gone(const char *path, int r, struct error *err)
{
	if (r == -ENOENT || r == -ESRCH)
		return err_set(err, -ESRCH, "read '%s': no such process", path);
	return r;
}

int proc_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct error *err)
{
	return gone(path, file_read_at(AT_FDCWD, path, max, ret_text, ret_len, err), err);
}

int proc_read_record(const char *path, size_t max, char **ret_text, size_t *ret_len,
		     struct error *err)
{
	return gone(path, file_read_record_at(AT_FDCWD, path, max, ret_text, ret_len, err), err);
}

static int ints_parse(const char *text, struct ints *ints, struct error *err)
{
	for (const char *p = text;;) {
		int v;

		while (*p == ' ' || *p == '\n')
			p++;
		if (!*p)
			return 0;
		if (!scan_int(&p, &v) || v <= 0)
			return err_set(err, -EBADMSG, "list of pids: '%.16s' is none", p);
		if (ints_add(ints, v) < 0)
			return err_oom(err);
	}
}

int proc_pids_parse(const char *text, size_t len, pid_t **ret_pids, size_t *ret_n,
		    struct error *err)
{
	cleanup_ints struct ints ints = { NULL };
	int r;

	if (strlen(text) != len)
		return err_set(err, -EBADMSG, "list of pids: zero byte in the text");
	r = ints_parse(text, &ints, err);
	if (r < 0)
		return r;
	*ret_pids = take_ptr(&ints.v);
	*ret_n = ints.n;
	return 0;
}

/* Names of a folder that are numbers. */
static int numbers_in(const char *path, struct ints *ints, struct error *err)
{
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir && errno == ENOENT)
		return err_set(err, -ESRCH, "read '%s': no such process", path);
	if (!dir)
		return err_sys(err, "open folder '%s'", path);
	while ((errno = 0, entry = readdir(dir))) {
		const char *p = entry->d_name;
		int v;

		if (!scan_int(&p, &v) || *p)
			continue;
		if (ints_add(ints, v) < 0)
			return err_oom(err);
	}
	if (errno == ESRCH || errno == ENOENT)
		return err_set(err, -ESRCH, "read '%s': no such process", path);
	if (errno)
		return err_sys(err, "read folder '%s'", path);
	return 0;
}

int proc_processes(pid_t **ret_pids, size_t *ret_n, struct error *err)
{
	cleanup_ints struct ints ints = { NULL };
	int r = numbers_in("/proc", &ints, err);

	if (r < 0)
		return r;
	*ret_pids = take_ptr(&ints.v);
	*ret_n = ints.n;
	return 0;
}

int proc_threads_of(pid_t host_pid, pid_t **ret_tids, size_t *ret_n, struct error *err)
{
	cleanup_ints struct ints ints = { NULL };
	char path[PROC_PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)host_pid);
	r = numbers_in(path, &ints, err);
	if (r < 0)
		return r;
	if (ints.n == 0)
		return err_set(err, -ESRCH, "read '%s': no such process", path);
	for (size_t i = 1; i < ints.n; i++) {
		if (ints.v[i] != host_pid)
			continue;
		ints.v[i] = ints.v[0];
		ints.v[0] = host_pid;
	}
	*ret_tids = take_ptr(&ints.v);
	*ret_n = ints.n;
	return 0;
}

/* One thread may go while we look; then it has handed its children on to another. */
static int children_of_thread(pid_t host_pid, pid_t host_tid, struct ints *ints, struct error *err)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH_MAX];
	size_t len = 0;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)host_pid,
		       (int)host_tid);
	r = proc_read(path, PROC_TEXT_LARGE, &text, &len, err);
	if (r < 0)
		return r;
	r = ints_parse(text, ints, err);
	if (r < 0)
		return err_wrap(err, r, "%s", path);
	return 0;
}

int proc_children_of_thread(pid_t host_pid, pid_t host_tid, pid_t **ret_pids, size_t *ret_n,
			    struct error *err)
{
	cleanup_ints struct ints ints = { NULL };
	int r = children_of_thread(host_pid, host_tid, &ints, err);

	if (r < 0)
		return r;
	*ret_pids = take_ptr(&ints.v);
	*ret_n = ints.n;
	return 0;
}

/* The folder of threads has a link for each, as folders of folders do. */
int proc_count_threads(pid_t host_pid)
{
	char path[PROC_PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)host_pid);
	if (stat(path, &st) < 0 || st.st_nlink < 3)
		return -ESRCH;
	return (int)st.st_nlink - 2;
}

int proc_children_of(pid_t host_pid, pid_t **ret_pids, size_t *ret_n, struct error *err)
{
	cleanup_ints struct ints ints = { NULL };
	cleanup_free pid_t *tids = NULL;
	size_t n = 0;
	int r;

	r = proc_threads_of(host_pid, &tids, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = children_of_thread(host_pid, tids[i], &ints, err);
		if (r == -ESRCH && n > 1)
			continue;
		if (r < 0)
			return r;
	}
	*ret_pids = take_ptr(&ints.v);
	*ret_n = ints.n;
	return 0;
}

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a;
	int y = *(const int *)b;

	return (x > y) - (x < y);
}

int proc_fds_of(pid_t host_pid, int **ret_fds, size_t *ret_n, struct error *err)
{
	cleanup_ints struct ints ints = { NULL };
	char path[PROC_PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)host_pid);
	r = numbers_in(path, &ints, err);
	if (r < 0)
		return r;
	if (ints.n)
		qsort(ints.v, ints.n, sizeof(int), compare_ints);
	*ret_fds = take_ptr(&ints.v);
	*ret_n = ints.n;
	return 0;
}

int proc_fdinfo_parse(const char *text, size_t len, struct proc_fdinfo *ret_info, struct error *err)
{
	struct proc_fdinfo info = { .mnt_id = -1 };
	bool seen_pos = false;
	bool seen_flags = false;
	const char *p = text;
	bool good = true;

	if (strlen(text) != len)
		return err_set(err, -EBADMSG, "fdinfo: zero byte in the text");
	for (; good && *p; p = scan_next_line(p)) {
		const char *v = p;
		int64_t pos;

		if (scan_literal(&v, "pos:\t")) {
			good = scan_i64(&v, &pos);
			info.pos = good ? (uint64_t)pos : 0;
			seen_pos = true;
		} else if (scan_literal(&v, "flags:\t")) {
			good = scan_u32(&v, 8, &info.flags);
			seen_flags = true;
		} else if (scan_literal(&v, "mnt_id:\t")) {
			good = scan_int(&v, &info.mnt_id);
		} else if (scan_literal(&v, "ino:\t")) {
			good = scan_u64(&v, 10, &info.ino);
		} else {
			break;
		}
	}
	if (!good || !seen_pos || !seen_flags)
		return err_set(err, -EBADMSG, "fdinfo: no position or no flags");
	info.rest = p;
	*ret_info = info;
	return 0;
}
