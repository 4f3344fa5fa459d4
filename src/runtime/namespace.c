#include "runtime/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"

static const struct {
	unsigned long flag;
	const char *file;
} kinds[NS_KINDS] = {
	[NS_KIND_USER] = { CLONE_NEWUSER, "user" },
	[NS_KIND_MOUNT] = { CLONE_NEWNS, "mnt" },
	[NS_KIND_PID] = { CLONE_NEWPID, "pid" },
	[NS_KIND_NET] = { CLONE_NEWNET, "net" },
	[NS_KIND_IPC] = { CLONE_NEWIPC, "ipc" },
	[NS_KIND_UTS] = { CLONE_NEWUTS, "uts" },
	[NS_KIND_CGROUP] = { CLONE_NEWCGROUP, "cgroup" },
	[NS_KIND_TIME] = { CLONE_NEWTIME, "time" },
};

/* Those that the maker joins and leaves again: the rest is the child's own business. */
static const enum ns_kind visited[] = { NS_KIND_PID, NS_KIND_NET, NS_KIND_IPC, NS_KIND_UTS,
					NS_KIND_TIME };

unsigned long ns_clone_flag(enum ns_kind kind)
{
	return kinds[kind].flag;
}

const char *ns_file(enum ns_kind kind)
{
	return kinds[kind].file;
}

/* --- visiting ---------------------------------------------------------------- */

struct visit {
	int home[NS_KINDS]; /* our own, while we are away; negative: not away */
};

#define VISIT_INIT                                                                                 \
	{                                                                                          \
		.home = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF }         \
	}

static int visit_end(struct visit *visit, struct error *err)
{
	int result = 0;

	for (size_t kind = 0; kind < NS_KINDS; kind++) {
		int fd = visit->home[kind];

		if (fd < 0)
			continue;
		if (setns(fd, (int)kinds[kind].flag) < 0 && result == 0)
			result = err_sys(err, "return to our own %s namespace", kinds[kind].file);
		(void)close(fd); /* opened for reading only */
		visit->home[kind] = -EBADF;
	}
	return result;
}

static void cleanup_visit_p(struct visit *visit)
{
	(void)visit_end(visit, NULL); /* the net: on the good path its error was looked at */
}

/* Notes where home is before something changes it. */
static int visit_leave_home(struct visit *visit, enum ns_kind kind, struct error *err)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[kind].file);
	visit->home[kind] = open(path, O_RDONLY | O_CLOEXEC);
	if (visit->home[kind] < 0)
		return err_sys(err, "open '%s'", path);
	return 0;
}

static int join_path(enum ns_kind kind, const char *path, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open %s namespace '%s'", kinds[kind].file, path);
	if (setns(fd, (int)kinds[kind].flag) < 0)
		return err_sys(err, "join %s namespace '%s'", kinds[kind].file, path);
	return 0;
}

/* The offsets of a new time namespace can be set until its first process is there. */
static int make_time_namespace(const struct spec *spec, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	const char *clock;
	json_t *offset;

	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(err, "make a time namespace");
	json_object_foreach(spec->lx.time_offsets, clock, offset)
	{
		int64_t secs = 0;
		int64_t nanosecs = 0;
		int r;

		r = json_field_int(offset, "linux.timeOffsets", "secs", &secs, err);
		if (r >= 0)
			r = json_field_int(offset, "linux.timeOffsets", "nanosecs", &nanosecs, err);
		if (r < 0)
			return r;
		buf_addf(&text, "%s %" PRId64 " %" PRId64 "\n", clock, secs, nanosecs);
	}
	if (!buf_ok(&text))
		return err_oom(err);
	if (text.len == 0)
		return 0;
	return file_poke_at(AT_FDCWD, "/proc/self/timens_offsets", buf_str(&text), err);
}

static int visit_begin(const struct spec *spec, struct visit *visit, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(visited); i++) {
		const enum ns_kind kind = visited[i];
		const struct spec_namespace *ns = &spec->lx.namespaces[kind];
		int r;

		if (!ns->path && !(kind == NS_KIND_TIME && ns->wanted))
			continue;
		r = visit_leave_home(visit, kind, err);
		if (r >= 0)
			r = ns->path ? join_path(kind, ns->path, err)
				     : make_time_namespace(spec, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- making ------------------------------------------------------------------ */

static uint64_t new_flags(const struct spec *spec)
{
	static const enum ns_kind by_clone[] = { NS_KIND_USER, NS_KIND_MOUNT, NS_KIND_PID,
						 NS_KIND_NET,  NS_KIND_IPC,   NS_KIND_UTS };
	uint64_t flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(by_clone); i++)
		if (spec_new_ns(spec, by_clone[i]))
			flags |= kinds[by_clone[i]].flag;
	return flags;
}

static pid_t clone_process(uint64_t flags)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };

	if (flags & CLONE_PARENT)
		args.exit_signal = 0; /* it's the one our own parent waits for us with */
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/*
 * A user namespace by path must be joined before the others are made, so that
 * it owns them, and there's no way back from it: a go-between does it, and
 * makes the child for us (CLONE_PARENT).
 */
static int clone_through_user_ns(const struct spec *spec, pid_t *ret_pid, struct error *err)
{
	struct {
		pid_t pid;
		struct error error;
	} answer = { .pid = -1 };
	cleanup_fd int from = -EBADF;
	cleanup_fd int to = -EBADF;
	int fds[2];
	ssize_t n;
	pid_t go_between;
	pid_t pid;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	from = fds[0];
	to = fds[1];
	go_between = clone_process(0);
	if (go_between < 0)
		return err_sys(err, "make a process");
	if (go_between == 0) {
		r = join_path(NS_KIND_USER, spec->lx.namespaces[NS_KIND_USER].path, &answer.error);
		if (r >= 0) {
			pid = clone_process(new_flags(spec) | CLONE_PARENT);
			if (pid == 0) {
				*ret_pid = 0;
				return 0;
			}
			answer.pid = pid;
			if (pid < 0)
				(void)err_sys(&answer.error, "make the container's first process");
		}
		(void)!write(to, &answer, sizeof(answer)); /* a lost answer is noticed */
		_exit(0);
	}
	to = (close(to), -EBADF);
	do {
		n = read(from, &answer, sizeof(answer));
	} while (n < 0 && errno == EINTR);
	while (waitpid(go_between, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(answer))
		return err_set(err, -EPIPE,
			       "the process that enters the user namespace ended early");
	if (answer.pid < 0)
		return err_set(err, answer.error.code, "%s", answer.error.text);
	*ret_pid = answer.pid;
	return 0;
}

int ns_clone_child(const struct spec *spec, pid_t *ret_pid, struct error *err)
{
	__attribute__((cleanup(cleanup_visit_p))) struct visit visit = VISIT_INIT;
	pid_t pid = -1;
	int r;

	r = visit_begin(spec, &visit, err);
	if (r < 0)
		return r;
	if (spec->lx.namespaces[NS_KIND_USER].path) {
		r = clone_through_user_ns(spec, &pid, err);
		if (r < 0)
			return r;
	} else {
		pid = clone_process(new_flags(spec));
		if (pid < 0)
			return err_sys(err, "make the container's first process");
	}
	if (pid == 0) { /* the child stays where we visit */
		for (size_t kind = 0; kind < NS_KINDS; kind++)
			visit.home[kind] = -EBADF; /* closed with all else before exec */
		if (spec->lx.namespaces[NS_KIND_MOUNT].path) {
			r = join_path(NS_KIND_MOUNT, spec->lx.namespaces[NS_KIND_MOUNT].path, err);
			if (r < 0)
				_exit(1); /* the maker sees the end of the socket */
		}
		*ret_pid = 0;
		return 0;
	}
	r = visit_end(&visit, err);
	if (r < 0) {
		(void)kill(pid, SIGKILL); /* our own child, not waited for yet */
		(void)waitpid(pid, NULL, 0);
		return r;
	}
	*ret_pid = pid;
	return 0;
}

static int write_map(pid_t pid, const char *name, const struct spec_id_maps *maps,
		     struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	char path[64];

	for (size_t i = 0; i < maps->n; i++)
		buf_addf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", maps->items[i].inside,
			 maps->items[i].outside, maps->items[i].size);
	if (!buf_ok(&text))
		return err_oom(err);
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return file_poke_at(AT_FDCWD, path, buf_str(&text), err);
}

int ns_map_ids(const struct spec *spec, pid_t pid, struct error *err)
{
	int r;

	if (!spec_new_ns(spec, NS_KIND_USER))
		return 0;
	r = write_map(pid, "uid_map", &spec->lx.uid_maps, err);
	if (r >= 0)
		r = write_map(pid, "gid_map", &spec->lx.gid_maps, err);
	if (r < 0)
		return err_wrap(err, r, "map the ids of the user namespace");
	return 0;
}

int ns_enter_cgroup(const struct spec *spec, struct error *err)
{
	const struct spec_namespace *ns = &spec->lx.namespaces[NS_KIND_CGROUP];

	if (!ns->wanted)
		return 0;
	if (ns->path)
		return join_path(NS_KIND_CGROUP, ns->path, err);
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, "make a cgroup namespace");
	return 0;
}
