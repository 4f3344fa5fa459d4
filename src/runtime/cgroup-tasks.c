#include "runtime/cgroup-tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "runtime/cgroup.h"

#define PROCS_MAX ((size_t)64 << 20)
#define STATE_MAX 4096
#define FREEZE_LIMIT_NS (10 * NS_PER_SEC)

struct pid_list {
	pid_t *pids;
	size_t n;
	size_t room;
};

static int add_pid(struct pid_list *list, pid_t pid)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		pid_t *bigger = reallocarray(list->pids, room, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		list->pids = bigger;
		list->room = room;
	}
	list->pids[list->n++] = pid;
	return 0;
}

static int add_group(struct pid_list *list, int dir)
{
	cleanup_free char *text = NULL;
	int r;

	r = file_read_at(dir, "cgroup.procs", PROCS_MAX, &text, NULL, NULL);
	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	for (char *p = text; *p;) {
		char *end;
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		if (pid > 0) /* 0: a process that our PID namespace doesn't show */
			r = add_pid(list, (pid_t)pid);
		if (r < 0)
			return r;
		p = end + (*end == '\n');
	}
	return 0;
}

/* Takes `fd`. */
static int add_groups_below(struct pid_list *list, int fd)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int r;

	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd); /* opened for reading only */
		return -ENOMEM;
	}
	r = add_group(list, dirfd(dir));
	while (r >= 0 && (entry = readdir(dir))) {
		int below;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		below = openat(dirfd(dir), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0) /* else it's gone */
			r = add_groups_below(list, below);
	}
	return r;
}

/* The hierarchy that is asked: a process may be moved about in one, but is in all. */
static const struct cgroup_part *main_part(const struct cgroup *cg)
{
	static const char *const preferred[] = { "", "freezer", "pids", "devices", "memory" };

	for (size_t i = 0; i < ARRAY_SIZE(preferred); i++) {
		const struct cgroup_part *part = cgroup_find(cg, preferred[i]);

		if (part && part->inode)
			return part;
	}
	return cg->n > 0 ? &cg->parts[0] : NULL;
}

int cgroup_pids(const struct cgroup *cg, pid_t **ret_pids, size_t *ret_n, struct error *err)
{
	const struct cgroup_part *part = main_part(cg);
	struct pid_list list = { .pids = NULL };
	int r;

	r = part ? cgroup_open_own(cg, part, err) : -ENOENT;
	if (r < 0 && r != -ENOENT)
		return r;
	if (r >= 0) {
		r = add_groups_below(&list, r);
		if (r < 0) {
			free(list.pids);
			return err_set(err, r, "list the processes in cgroup '%s%s': %s",
				       part->mountpoint, cg->path, strerror(-r));
		}
	}
	*ret_pids = list.pids;
	*ret_n = list.n;
	return 0;
}

/* Is that process in a group with that path, as of now? */
static bool is_member(const struct cgroup *cg, pid_t pid)
{
	cleanup_free char *text = NULL;
	char name[64];
	char *rest;
	char *line;

	(void)snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	if (file_read_at(AT_FDCWD, name, PROCS_MAX, &text, NULL, NULL) < 0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const char *path = strchr(line, '/');

		if (path && cgroup_path_covers(cg->path, path))
			return true;
	}
	return false;
}

int cgroup_signal(const struct cgroup *cg, int signal, struct error *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int sent = 0;
	int r;

	r = cgroup_pids(cg, &pids, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		cleanup_fd int pidfd = pidfd_open(pids[i], 0);

		/* The number may be another's by now; what the descriptor holds stays the same. */
		if (pidfd < 0 || pids[i] == getpid() || !is_member(cg, pids[i]))
			continue;
		if (pidfd_send_signal(pidfd, signal, NULL, 0) == 0)
			sent++;
		else if (errno != ESRCH)
			return err_sys(err, "send signal %d to process %d", signal, pids[i]);
	}
	return sent;
}

/* --- freezing --------------------------------------------------------------- */

struct freezer {
	const struct cgroup_part *part;
	const char *file;
	const char *on;
	const char *off;
	const char *state_file;
	const char *state_on;
	const char *state_off;
};

static bool find_freezer(const struct cgroup *cg, struct freezer *ret)
{
	const struct cgroup_part *v1 = cgroup_find(cg, "freezer");
	const struct cgroup_part *v2 = cgroup_find(cg, "");

	if (v1)
		*ret = (struct freezer){ v1,	   "freezer.state", "FROZEN",
					 "THAWED", "freezer.state", "FROZEN",
					 "THAWED" };
	else if (v2)
		*ret = (struct freezer){ v2,	     "cgroup.freeze", "1", "0", "cgroup.events",
					 "frozen 1", "frozen 0" };
	return v1 || v2;
}

static bool state_is(int dir, const char *file, const char *wanted)
{
	cleanup_free char *text = NULL;

	return file_read_at(dir, file, STATE_MAX, &text, NULL, NULL) >= 0 && strstr(text, wanted);
}

int cgroup_freeze(const struct cgroup *cg, bool freeze, struct error *err)
{
	cleanup_fd int dir = -EBADF;
	struct freezer f;
	uint64_t end = clock_mono_ns() + FREEZE_LIMIT_NS;
	int r;

	if (!find_freezer(cg, &f))
		return err_set(err, -EOPNOTSUPP, "no cgroup freezer is mounted");
	dir = cgroup_open_own(cg, f.part, err);
	if (dir < 0)
		return dir;
	for (;;) {
		const struct timespec pause = { .tv_nsec = 1000000 };

		/* v1 gives up on a process that was forking: asking again helps. */
		r = file_poke_at(dir, f.file, freeze ? f.on : f.off, err);
		if (r < 0)
			return r;
		if (state_is(dir, f.state_file, freeze ? f.state_on : f.state_off))
			return 0;
		if (clock_mono_ns() > end)
			break;
		(void)nanosleep(&pause, NULL); /* a signal makes it shorter */
	}
	if (freeze)
		(void)file_poke_at(dir, f.file, f.off, NULL); /* as it was, as well as we can */
	return err_set(err, -ETIMEDOUT, "cgroup '%s%s' did not %s within %d s", f.part->mountpoint,
		       cg->path, freeze ? "freeze" : "thaw", (int)(FREEZE_LIMIT_NS / NS_PER_SEC));
}

int cgroup_is_frozen(const struct cgroup *cg)
{
	cleanup_fd int dir = -EBADF;
	struct freezer f;

	if (!find_freezer(cg, &f))
		return 0;
	dir = cgroup_open_own(cg, f.part, NULL);
	if (dir < 0)
		return 0;
	if (f.part->v2)
		return state_is(dir, f.file, "1");
	return state_is(dir, f.file, "FROZEN") || state_is(dir, f.file, "FREEZING");
}
