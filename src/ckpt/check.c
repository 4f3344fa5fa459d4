/*
 * check: a walk through /proc of a running tree. What it finds is true at
 * that moment only; the dump looks again when the tree is frozen.
 */
#include "ckpt/check.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/kern.h"
#include "base/proc-maps.h"
#include "base/proc.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/lock.h"
#include "ckpt/sk-unix-check.h"
#include "ckpt/track.h"
#include "ckpt/tty-check.h"
#include "cryo/check.h"

#define FDINFO_MAX ((size_t)16 << 20)
#define TASKS_MAX 1000000 /* a tree that forks faster than it is walked ends here */

struct check {
	const struct cryo_dump_opts *opts;
	void (*found)(void *arg, const struct error *obstacle);
	void *arg;
	int n;
	pid_t *todo;
	size_t n_todo;
	size_t size;
	struct unix_check unix_sockets;
	struct tty_check ttys;
	struct pidfd_seen *pidfds;
	size_t n_pidfds;
	size_t pid_levels; /* how many process ids the root has */
};

/* An obstacle is told; a task that is gone meanwhile is none. */
static int tell(struct check *check, int r, const struct error *err)
{
	if (r == -ESRCH || r == -ENOENT)
		return 0;
	if (r == -EOPNOTSUPP) {
		check->n++;
		check->found(check->arg, err);
		return 0;
	}
	return r;
}

/* What /proc does not tell of a socket: a copy of it is looked at, and closed
 * again by the caller. */
static int look_socket(struct check *check, pid_t host_pid, int number, struct fd_look *look,
		       int *ret_fd, struct error *err)
{
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, host_pid, 0);
	int fd = -EBADF;
	int r;

	if (pidfd >= 0)
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0)
		return errno == EBADF ? -ENOENT : err_sys(err, "%s: take a copy", look->where);
	*ret_fd = fd;
	r = fd_look_socket(fd, look, err);
	if (r < 0 || look->domain != AF_UNIX)
		return r;
	return unix_check_add(&check->unix_sockets, (uint32_t)look->st.st_ino, host_pid, number,
			      err);
}

struct pidfd_seen {
	pid_t host_pid;
	int number;
	pid_t target;
};

/* Whether it is in the tree shows when all of that was seen. */
static int note_pidfd(struct check *check, pid_t host_pid, int number, const char *fdinfo,
		      struct error *err)
{
	struct pidfd_seen *more;
	pid_t target;

	if (pidfd_target(fdinfo, &target) < 0 || target == -1)
		return 0;
	more = reallocarray(check->pidfds, check->n_pidfds + 1, sizeof(*more));
	if (!more)
		return err_oom(err);
	check->pidfds = more;
	more[check->n_pidfds++] =
		(struct pidfd_seen){ .host_pid = host_pid, .number = number, .target = target };
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a;
	pid_t y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

static int check_pidfds(struct check *check)
{
	int r = 0;

	qsort(check->todo, check->n_todo, sizeof(*check->todo), by_pid);
	for (size_t i = 0; i < check->n_pidfds && r == 0; i++) {
		const struct pidfd_seen *seen = &check->pidfds[i];
		struct error own = ERROR_INIT;
		char where[64];

		/* Gone since it was read, it is no obstacle any more. */
		if (bsearch(&seen->target, check->todo, check->n_todo, sizeof(*check->todo),
			    by_pid) ||
		    kill(seen->target, 0) < 0)
			continue;
		(void)snprintf(where, sizeof(where), "task %d: fd %d", seen->host_pid,
			       seen->number);
		r = tell(check, pidfd_refuse(where, seen->target, &own), &own);
	}
	return r;
}

/* What only fdinfo tells: locks, and what some kinds hold. */
static int check_info(struct check *check, const struct fd_look *look, pid_t host_pid, int number,
		      struct error *err)
{
	const struct fd_kind *kind = fd_kind_of(look);
	cleanup_free char *text = NULL;
	char path[64];
	size_t len;
	int r;

	if (!kind->check_info && kind->type != FD_TYPES__PIDFD &&
	    (check->opts->file_locks || look->link[0] != '/'))
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", host_pid, number);
	r = file_read_record_at(AT_FDCWD, path, FDINFO_MAX, &text, &len, err);
	if (r == 0)
		r = lock_check(check->opts, look->where, look->link, text, err);
	if (r == 0 && kind->type == FD_TYPES__PIDFD)
		r = note_pidfd(check, host_pid, number, text, err);
	return r == 0 && kind->check_info ? kind->check_info(look->where, text, err) : r;
}

/* It belongs to an earlier pre-dump of ours. */
static bool is_trackers(pid_t host_pid, int number, const char *link)
{
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, host_pid, 0);
	cleanup_fd int fd = -EBADF;

	if (pidfd >= 0)
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	return fd >= 0 && track_is_ours(fd, link);
}

static int check_fd(struct check *check, pid_t host_pid, int number, struct error *err)
{
	char where[64];
	char path[64];
	char link[PATH_MAX];
	struct fd_look look = { .where = where, .link = link };
	cleanup_fd int copy = -EBADF;
	struct statfs fs;
	ssize_t n;

	(void)snprintf(where, sizeof(where), "task %d: fd %d", host_pid, number);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", host_pid, number);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return err_sys(err, "read link '%s'", path);
	link[n] = '\0';
	if (stat(path, &look.st) < 0)
		return err_sys(err, "stat '%s'", path);
	if (statfs(path, &fs) < 0)
		return err_sys(err, "statfs '%s'", path);
	look.fs_type = fs.f_type;
	if (fs.f_type == SOCKFS_MAGIC) {
		int r = look_socket(check, host_pid, number, &look, &copy, err);

		if (r < 0)
			return r;
	}
	if (strcmp(link, "anon_inode:[userfaultfd]") == 0 && is_trackers(host_pid, number, link))
		return 0;
	n = fd_kind_check(check->opts, &look, err);
	if (n >= 0)
		n = tty_check_add(&check->ttys, check->opts, &look, host_pid, number, err);
	return n < 0 ? (int)n : check_info(check, &look, host_pid, number, err);
}

static int check_fds(struct check *check, pid_t host_pid, struct error *err)
{
	cleanup_free int *numbers = NULL;
	size_t n = 0;
	int r;

	r = proc_fds_of(host_pid, &numbers, &n, err);
	if (r < 0)
		return tell(check, r, err);
	for (size_t i = 0; i < n; i++) {
		r = tell(check, check_fd(check, host_pid, numbers[i], err), err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* maps, not smaps: that one walks all page tables, and the flags are looked at later. */
static int check_maps(struct check *check, pid_t host_pid, struct error *err)
{
	cleanup_proc_maps struct proc_maps maps = { .n = 0 };
	int r;

	r = proc_maps_of(host_pid, &maps, err);
	if (r < 0)
		return tell(check, r, err);
	for (size_t i = 0; i < maps.n; i++) {
		r = tell(check, dump_vma_check(host_pid, &maps.vmas[i], err), err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A restore can make a session only for its leader; see also the check when frozen. */
static int check_session(const struct check *check, pid_t host_pid,
			 const struct proc_status *status, struct error *err)
{
	if (host_pid != check->opts->pid)
		return 0;
	return dump_session_check(check->opts, host_pid, proc_ids_inner(&status->ns_pid),
				  proc_ids_inner(&status->ns_sid), err);
}

static int check_status(const struct check *check, pid_t host_pid, const struct proc_status *status,
			struct error *err)
{
	int r;

	if (host_pid == getpid()) {
		r = err_set(err, -EOPNOTSUPP, "task %d: this program itself is in the tree",
			    host_pid);
		err_hint(err, "start it from outside of the tree");
		return r;
	}
	if (status->kernel_thread)
		return err_set(err, -EOPNOTSUPP, "task %d: it is a kernel thread", host_pid);
	if (status->ns_pid.n != check->pid_levels)
		return err_set(err, -EOPNOTSUPP,
			       "task %d: it is in a pid namespace below that of task %d: the "
			       "images have room for one process id",
			       host_pid, check->opts->pid);
	if (!status->has_mm && status->state == 'Z' && status->threads > 1)
		return err_set(err, -EOPNOTSUPP,
			       "task %d: its first thread has ended, others go on", host_pid);
	if (!status->has_mm)
		return 0; /* a zombie */
	if (status->seccomp == SECCOMP_MODE_STRICT) {
		r = err_set(err, -EOPNOTSUPP, "task %d: it is in seccomp's strict mode", host_pid);
		err_hint(err, "it can't be asked for its signal handlers without risking its life");
		return r;
	}
	return check_session(check, host_pid, status, err);
}

/* Of further threads; when frozen only what kcmp(2) tells is looked at again. */
static int check_thread(pid_t host_pid, pid_t host_tid, struct error *err)
{
	static const char *const names[] = { "net",    "mnt",  "uts",  "ipc",
					     "cgroup", "time", "user", "pid_for_children" };
	static const struct {
		int type;
		const char *what;
	} shares[] = { { KCMP_FILES, "descriptors" }, { KCMP_FS, "a working folder" } };

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		if (syscall(SYS_kcmp, host_pid, host_tid, shares[i].type, 0, 0) > 0)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its thread %d has %s of its own: this can't be "
				       "saved",
				       host_pid, host_tid, shares[i].what);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat own, first;
		char path[96];

		(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/ns/%s", host_pid, host_tid,
			       names[i]);
		if (stat(path, &own) < 0)
			continue; /* gone, or a kernel without such */
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", host_pid, names[i]);
		if (stat(path, &first) == 0 && own.st_ino != first.st_ino)
			return err_set(err, -EOPNOTSUPP,
				       "task %d: its thread %d is in a %s namespace of its own: "
				       "this can't be saved",
				       host_pid, host_tid, names[i]);
	}
	return 0;
}

static int check_threads(struct check *check, pid_t host_pid, struct error *err)
{
	cleanup_free pid_t *tids = NULL;
	size_t n = 0;
	int r = proc_threads_of(host_pid, &tids, &n, err);

	if (r < 0)
		return tell(check, r, err);
	for (size_t i = 1; i < n && r >= 0; i++)
		r = tell(check, check_thread(host_pid, tids[i], err), err);
	return r;
}

static int check_task(struct check *check, pid_t host_pid, struct error *err)
{
	struct proc_status status;
	bool alive;
	int r;

	r = proc_status_of(host_pid, &status, err);
	if (r < 0)
		return tell(check, r, err);
	alive = status.has_mm;
	r = tell(check, check_status(check, host_pid, &status, err), err);
	proc_status_done(&status);
	if (r < 0 || !alive)
		return r;
	r = check_threads(check, host_pid, err);
	if (r >= 0)
		r = check_fds(check, host_pid, err);
	return r < 0 ? r : check_maps(check, host_pid, err);
}

static int tell_peer(void *arg, int r, const struct error *err)
{
	return tell(arg, r, err);
}

static int add_todo(struct check *check, const pid_t *pids, size_t n, struct error *err)
{
	size_t size = check->size ? check->size : 64;
	pid_t *more;

	if (n > TASKS_MAX - check->n_todo)
		return err_set(err, -E2BIG, "more than %d processes below task %d", TASKS_MAX,
			       check->opts->pid);
	while (size < check->n_todo + n)
		size *= 2;
	if (size != check->size) {
		more = reallocarray(check->todo, size, sizeof(*more));
		if (!more)
			return err_oom(err);
		check->todo = more;
		check->size = size;
	}
	if (n) /* memcpy takes no NULL, not even for nothing */
		memcpy(check->todo + check->n_todo, pids, n * sizeof(*pids));
	check->n_todo += n;
	return 0;
}

static int walk(struct check *check, struct error *err)
{
	int r;

	r = add_todo(check, &check->opts->pid, 1, err);
	for (size_t i = 0; i < check->n_todo && r == 0; i++) {
		pid_t host_pid = check->todo[i];
		cleanup_free pid_t *children = NULL;
		size_t n = 0;

		r = check_task(check, host_pid, err);
		if (r < 0)
			break;
		r = proc_children_of(host_pid, &children, &n, err);
		r = r < 0 ? tell(check, r, err) : add_todo(check, children, n, err);
	}
	return r;
}

int cryo_check_tree(const struct cryo_dump_opts *opts,
		    void (*found)(void *arg, const struct error *obstacle), void *arg,
		    struct error *err)
{
	struct check check = { .opts = opts, .found = found, .arg = arg };
	struct proc_status status;
	struct error scratch = ERROR_INIT;
	int r;

	/* Only the root has to be there. */
	r = proc_status_of(opts->pid, &status, err);
	if (r < 0)
		return r;
	check.pid_levels = status.ns_pid.n;
	proc_status_done(&status);
	r = walk(&check, &scratch);
	if (r == 0)
		r = unix_check_peers(&check.unix_sockets, opts->pid, tell_peer, &check, &scratch);
	if (r == 0)
		r = tty_check_ends(&check.ttys, opts, tell_peer, &check);
	if (r == 0)
		r = check_pidfds(&check);
	unix_check_done(&check.unix_sockets);
	tty_check_done(&check.ttys);
	free(check.pidfds);
	free(check.todo);
	if (r < 0)
		return err_set(err, r, "%s", scratch.text);
	return check.n;
}

static void keep_first(void *arg, const struct error *obstacle)
{
	struct error *first = arg;

	if (!first->code)
		*first = *obstacle;
}

int check_privileges(struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const uint32_t needed = 1u << CAP_SYS_PTRACE | 1u << CAP_SYS_ADMIN;
	int r;

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, "read our own capabilities");
	if ((data[0].effective & needed) == needed)
		return 0;
	r = err_set(err, -EPERM, "this needs root (CAP_SYS_PTRACE and CAP_SYS_ADMIN)");
	err_hint(err, "run it with sudo");
	return r;
}

int check_tree_first(const struct cryo_dump_opts *opts, struct error *err)
{
	struct error first = ERROR_INIT;
	char hint[ERROR_HINT_MAX];
	int n = cryo_check_tree(opts, keep_first, &first, err);

	if (n <= 0)
		return n;
	if (n > 1) {
		memcpy(hint, first.hint, sizeof(hint));
		err_hint(&first, "%s%s%d more such obstacles: 'cryo check -t %d' lists them", hint,
			 hint[0] ? "; " : "", n - 1, opts->pid);
	}
	if (err)
		*err = first;
	return first.code;
}

int cryo_check_system(struct error *err)
{
	static const enum kern_feature needed[] = { KERN_CLONE3_SET_TID, KERN_PIDFD_GETFD,
						    KERN_OPENAT2, KERN_RSEQ_CONFIGURATION,
						    KERN_KCMP };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (!kern_has(needed[i]))
			return err_set(err, -EOPNOTSUPP,
				       "this kernel, or our privileges, lack %s: %s",
				       kern_name(needed[i]), kern_need(needed[i]));
	}
	return 0;
}

/* CRIU's names of features; what is not listed is unknown. */
static const struct {
	const char *name;
	bool done; /* we can do it, given the kernel's feature */
	enum kern_feature needs;
} features[] = {
	{ "mnt_id", true, KERN_KCMP },
	{ "seccomp_filters", true, KERN_KCMP },
	{ "seccomp_suspend", true, KERN_KCMP },
	{ "get_rseq_conf", true, KERN_RSEQ_CONFIGURATION },
	{ "loginuid", true, KERN_KCMP },
	{ "clone3_set_tid", true, KERN_CLONE3_SET_TID },
	{ "pagemap_scan", true, KERN_PAGEMAP_SCAN },
	{ "timens", true, KERN_TIME_NS },
	{ "fdinfo_lock", true, KERN_KCMP },
	{ "mem_dirty_track", true, KERN_UFFD_WP_ASYNC },
	{ "uffd", false, KERN_KCMP },
	{ "uffd-noncoop", false, KERN_KCMP },
	{ "userns", true, KERN_KCMP },
	{ "tcp_half_closed", true, KERN_KCMP },
	{ "tun", false, KERN_KCMP },
	{ "tun_ns", false, KERN_KCMP },
	{ "autofs", false, KERN_KCMP },
	{ "cgroupns", true, KERN_KCMP },
	{ "kcmp_epoll", true, KERN_KCMP },
	{ "nftables", true, KERN_KCMP },
	{ "network_lock_nftables", false, KERN_KCMP },
	{ "has_ipt_legacy", true, KERN_KCMP },
	{ "ipv6_freebind", true, KERN_KCMP },
	{ "newifindex", true, KERN_KCMP },
	{ "link_nsid", false, KERN_KCMP },
	{ "ns_pid", false, KERN_KCMP },
	{ "memfd_hugetlb", true, KERN_KCMP },
	{ "move_mount_set_group", true, KERN_KCMP },
	{ "sk_unix_file", true, KERN_KCMP },
	{ "sockopt_buf_lock", true, KERN_KCMP },
	{ "net_diag_raw", true, KERN_KCMP },
	{ "timerfd", true, KERN_KCMP },
	{ "pidfd_store", false, KERN_KCMP },
	{ "aio_remap", false, KERN_KCMP },
	{ "apparmor_stacking", false, KERN_KCMP },
	{ "pagemap_scan_guard_pages", true, KERN_PAGEMAP_SCAN_GUARDS },
};

int cryo_check_feature(const char *name, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (!strcmp(name, features[i].name))
			return features[i].done && kern_has(features[i].needs);
	}
	return err_set(err, -EINVAL, "unknown feature '%s'", name);
}
