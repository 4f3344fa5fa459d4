/*
 * launch-restore: R is made, the tree builds itself, and is released; or all
 * of it is gone again.
 *
 * While they are built, tasks die with their parent (PR_SET_PDEATHSIG), R with
 * M: so the death of M at any moment leaves nothing behind, and undoing means
 * to kill R. M reaps what falls to it then.
 */
#include <inttypes.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "ckpt/file-restore.h"
#include "ckpt/link-remap.h"
#include "ckpt/netns.h"
#include "ckpt/restore-priv.h"
#include "ckpt/userns.h"
#include "pie/abi.h"

#define LOOK_NS (100 * NS_PER_MS) /* how often M looks whether R still lives */
#define LEAVE_NS (60 * NS_PER_SEC)
#define UNDO_NS (10 * NS_PER_SEC) /* how long R may take to die */

static uint32_t *live_word(const struct restore *r, uint64_t offset)
{
	return (uint32_t *)((char *)r->live + offset);
}

static uint32_t read_word(const struct restore *r, uint64_t offset)
{
	return __atomic_load_n(live_word(r, offset), __ATOMIC_ACQUIRE);
}

void launch_store(const struct restore *r, uint64_t offset)
{
	launch_store_number(r, offset, 1);
}

void launch_store_number(const struct restore *r, uint64_t offset, uint32_t n)
{
	__atomic_store_n(live_word(r, offset), n, __ATOMIC_RELEASE);
	syscall(SYS_futex, live_word(r, offset), FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static int map_area(struct restore *r, struct error *err)
{
	void *map = NULL;
	int ret = area_seal(&r->area, err);

	if (ret < 0)
		return ret;
	if (r->area.size > RESTORE_HOLE - 2 * RESTORE_STAGING)
		return err_set(err, -E2BIG, "the plan of this restore takes %" PRIu64 " MiB",
			       r->area.size >> 20);
	map = mmap((void *)(uintptr_t)r->base, r->area.size, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (map == MAP_FAILED)
		return err_sys(err, "map the area at %" PRIx64, r->base);
	if (map != (void *)(uintptr_t)r->base) {
		(void)munmap(map, r->area.size);
		return err_set(err, -EEXIST, "map the area at %" PRIx64, r->base);
	}
	r->live = map;
	area_write(&r->area, map);
	return 0;
}

static void unmap_area(struct restore *r)
{
	(void)munmap(r->live, r->area.size);
	r->live = NULL;
}

/* The new process runs on our stack's copy until its first tape leaves it. */
static int make_root(struct restore *r, struct error *err)
{
	pid_t tid = (pid_t)r->root->pid;
	int pidfd = -EBADF;
	struct clone_args args = {
		.flags = r->clone_flags | CLONE_PIDFD | (r->opts->sibling ? CLONE_PARENT : 0),
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = r->opts->sibling ? 0 : SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&tid,
		.set_tid_size = 1,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		(void)pie_play(r->live, r->root->birth->index);
		_exit(1);
	}
	if (pid < 0) {
		int ret = err_sys(err, "making process %d (%s)", tid, rtask_comm(r->root));

		if (ret == -EEXIST)
			err_hint(err, TAKEN_HINT);
		return ret;
	}
	r->host_pid = (pid_t)pid;
	r->root_pidfd = pidfd;
	r->root->host_pid = r->host_pid;
	return 0;
}

static bool root_is_dead(const struct restore *r)
{
	struct pollfd look = { .fd = r->root_pidfd, .events = POLLIN };

	return poll(&look, 1, 0) == 1;
}

static int find_fault(const struct restore *r, struct error *err)
{
	int ret = area_fault(&r->area, r->live, err);

	if (ret == -EEXIST)
		err_hint(err, TAKEN_HINT);
	return ret;
}

int launch_wait(struct restore *r, uint64_t offset, uint32_t n, struct error *err)
{
	struct pie_area *live = r->live;

	for (;;) {
		uint32_t event = __atomic_load_n(&live->event, __ATOMIC_ACQUIRE);
		struct timespec limit = { .tv_nsec = LOOK_NS };
		int ret = find_fault(r, err);

		if (ret < 0)
			return ret;
		if (read_word(r, offset) >= n)
			return 0;
		if (root_is_dead(r)) {
			ret = find_fault(r, err);
			return ret < 0 ? ret
				       : err_set(err, -ECHILD,
						 "task %u (%s) died while it was built",
						 r->root->pid, rtask_comm(r->root));
		}
		syscall(SYS_futex, &live->event, FUTEX_WAIT, event, &limit, NULL, 0);
	}
}

/*
 * After the release: until no task would die with us any more. It takes them
 * microseconds, but on a busy machine they may not get their turn for seconds, and to go
 * before that would kill them. One that is killed meanwhile, by anybody, never comes: so there is
 * an end to it.
 */
static void wait_left(const struct restore *r)
{
	uint64_t limit = clock_mono_ns() + LEAVE_NS;
	struct pie_area *live = r->live;

	while (clock_mono_ns() < limit) {
		uint32_t event = __atomic_load_n(&live->event, __ATOMIC_ACQUIRE);
		struct timespec pause = { .tv_nsec = LOOK_NS };

		if (read_word(r, r->words.left) >= r->n_living || root_is_dead(r))
			return;
		syscall(SYS_futex, &live->event, FUTEX_WAIT, event, &pause, NULL, 0);
	}
}

/* ---------------------------------------------------------------------- undo */

static bool is_among(pid_t pid, const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/*
 * Children of killed tasks fall to us. When one is reaped, its own have become
 * ours too: so until there are none but those we had before.
 */
static void reap_orphans(const struct restore *r)
{
	for (bool more = true; more;) {
		cleanup_free pid_t *now = NULL;
		struct error err = ERROR_INIT;
		size_t n = 0;

		more = false;
		if (proc_children_of(getpid(), &now, &n, &err) < 0)
			log_warn("processes of the failed restore may be left: %s", err.text);
		for (size_t i = 0; i < n; i++) {
			if (is_among(now[i], r->own_children, r->n_own_children))
				continue;
			(void)kill(now[i], SIGKILL);
			(void)waitpid(now[i], NULL, __WALL);
			more = true;
		}
	}
}

static void undo(struct restore *r)
{
	struct pollfd dead = { .fd = r->root_pidfd, .events = POLLIN };
	int subreaper = 0;

	if (!r->host_pid)
		return;
	(void)prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	(void)syscall(SYS_pidfd_send_signal, r->root_pidfd, SIGKILL, NULL, 0);
	guide_undo(r);
	(void)poll(&dead, 1, (int)(UNDO_NS / NS_PER_MS));
	if (!r->opts->sibling)
		(void)waitpid(r->host_pid, NULL, __WALL);
	if (!r->new_pid_ns)
		reap_orphans(r);
	(void)prctl(PR_SET_CHILD_SUBREAPER, subreaper, 0, 0, 0);
	ghosts_undo(r);
	cgroup_undo(r);
	r->host_pid = 0;
}

/* ---------------------------------------------------------------------- steps */

static int build_tree(struct restore *r, struct error *err)
{
	const struct cryo_restore_opts *opts = r->opts;
	int ret = 0;

	ret = userns_map(r, err);
	if (ret >= 0 && opts->created)
		ret = opts->created(opts->arg, r->host_pid, err);
	if (ret >= 0)
		ret = cgroup_place(r, err);
	if (ret >= 0)
		ret = netns_restore(r, err);
	if (ret < 0)
		return ret;
	launch_store(r, r->words.go);
	ret = userns_fill(r, err);
	if (ret < 0)
		return ret;
	if (r->n_guided) {
		ret = launch_wait(r, r->words.armed, r->n_guided, err);
		if (ret >= 0)
			ret = guide_seize(r, err);
		if (ret < 0)
			return ret;
		launch_store(r, r->words.seized);
	}
	ret = launch_wait(r, r->words.built, r->n_living, err);
	if (ret >= 0)
		ret = cgroup_place_others(r, err);
	if (ret >= 0)
		ret = files_check(r, err);
	if (ret >= 0 && opts->built)
		ret = opts->built(opts->arg, r->host_pid, err);
	return ret;
}

static int start_root(struct restore *r, struct error *err)
{
	int old_time = -EBADF;
	int ret = timens_begin(r, &old_time, err);
	int ended;

	if (ret < 0)
		return ret;
	ret = make_root(r, err);
	ended = timens_end(old_time, ret < 0 ? NULL : err);
	return ret < 0 ? ret : ended;
}

int launch_tree(struct restore *r, struct error *err)
{
	uint64_t begin;
	sigset_t all, old;
	int ret = map_area(r, err);

	if (ret < 0)
		return ret;
	ret = taken_check(r, err);
	if (ret >= 0)
		ret = proc_children_of(getpid(), &r->own_children, &r->n_own_children, err);
	if (ret < 0) {
		unmap_area(r);
		return ret;
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	begin = clock_mono_ns();
	ret = start_root(r, err);
	r->forking_ns = clock_mono_ns() - begin;
	if (ret >= 0)
		ret = build_tree(r, err);
	if (ret >= 0) /* all is built; what is left can hardly fail */
		link_remaps_remove(r);
	if (ret >= 0 && r->n_guided)
		ret = guide_release(r, err);
	else if (ret >= 0)
		launch_store(r, r->words.released);
	if (ret < 0)
		undo(r);
	else
		wait_left(r);
	if (r->root_pidfd >= 0)
		(void)close(r->root_pidfd);
	sigprocmask(SIG_SETMASK, &old, NULL);
	unmap_area(r);
	return ret;
}
