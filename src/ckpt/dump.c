/*
 * dump: the conductor. Each step is one line of cryo_dump() or of
 * dump_frozen(); what they do stands in the file of their object.
 */
#include "cryo/dump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crew.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/cgroup.h"
#include "ckpt/check.h"
#include "ckpt/dump-priv.h"
#include "ckpt/file-ids.h"
#include "ckpt/link-remap.h"
#include "ckpt/lock.h"
#include "ckpt/memfd.h"
#include "ckpt/mnt.h"
#include "ckpt/mqueues.h"
#include "ckpt/namespaces.h"
#include "ckpt/seccomp.h"
#include "ckpt/settings.h"
#include "ckpt/shmem.h"
#include "ckpt/sk-more.h"
#include "ckpt/sk-queue.h"
#include "ckpt/sk-tcp.h"
#include "ckpt/sk-unix.h"
#include "ckpt/track.h"
#include "ckpt/tty.h"
#include "ckpt/userns.h"
#include "ckpt/watched.h"
#include "img/pb/stats.pb-c.h"

static int prepare(struct dump *dump, struct error *err)
{
	long n;
	int r;

	r = check_privileges(err);
	if (r == 0)
		r = externals_parse(dump->opts->externals, &dump->arena, &dump->externals, err);
	if (r == 0)
		r = file_ids_new(&dump->file_ids, err);
	if (r == 0)
		r = dump_ns_look(dump, err);
	if (r == 0)
		r = namespaces_check(dump, err);
	xstate_look(&dump->xstate);
	n = syscall(SYS_sched_getaffinity, 0, sizeof(dump->cpu_mask), dump->cpu_mask);
	dump->cpu_mask_len = n < 0 ? 0 : (size_t)n;
	if (r == 0)
		r = userns_collect(dump, err);
	if (r == 0)
		r = check_tree_first(dump->opts, err);
	if (r == 0)
		r = dump_images_prepare(dump, err);
	if (r == 0)
		r = namespaces_open_ahead(dump, err);
	if (r == 0)
		r = cgroup_prepare(dump, err);
	if (r == 0)
		r = mnt_prepare(dump, err);
	if (r == 0)
		r = watched_prepare(dump, err);
	if (r == 0)
		r = dump_pages_prepare(dump, err);
	if (r == 0)
		r = dump_parent_open(dump, err);
	if (r == 0)
		r = dump_image_create(dump, &dump->files, IMG_KIND_FILES, 0, err);
	return r;
}

static int dump_task(struct dump *dump, struct dump_task *task, struct error *err)
{
	static const struct {
		const char *what;
		int (*run)(struct dump *, struct dump_task *, struct error *);
		int (*run_mm)(struct dump *, struct dump_task *, MmEntry *, struct error *);
	} steps[] = {
		{ "registers and attributes", dump_core_collect, NULL },
		{ "mappings", NULL, dump_mm_collect },
		{ "what only it can tell", NULL, dump_ask },
		{ "descriptors", dump_fds, NULL },
		{ "folders", dump_fs, NULL },
		{ "pages", dump_pages, NULL },
		{ "records", NULL, dump_mm_write },
		{ "core", dump_core_write, NULL },
	};
	MmEntry mm = MM_ENTRY__INIT;
	int r;

	if (task->state == DUMP_TASK_DEAD)
		return dump_core_write(dump, task, err);
	r = dump_task_open(task, err);
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++) {
		log_debug("task %d: %s", task->host_pid, steps[i].what);
		r = steps[i].run ? steps[i].run(dump, task, err)
				 : steps[i].run_mm(dump, task, &mm, err);
	}
	dump_task_close(task);
	return r;
}

static int finish_images(struct dump *dump, struct error *err)
{
	struct image *const open[] = { &dump->files,  &dump->pipes,  &dump->fifos,
				       &dump->remaps, &dump->memfds, &dump->locks };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(open) && r == 0; i++) {
		if (open[i]->fd >= 0)
			r = image_finish(open[i], err);
	}
	return r;
}

int dump_stats_write(struct dump *dump, struct error *err)
{
	StatsEntry stats = STATS_ENTRY__INIT;
	DumpStatsEntry entry = DUMP_STATS_ENTRY__INIT;
	int dir = dump->opts->work_dir >= 0 ? dump->opts->work_dir : dump->opts->images_dir;

	entry.freezing_time = (uint32_t)dump->stats.freezing_us;
	entry.frozen_time = (uint32_t)dump->stats.frozen_us;
	entry.memdump_time = (uint32_t)dump->stats.memdump_us;
	entry.memwrite_time = (uint32_t)dump->stats.memwrite_us;
	entry.pages_scanned = dump->stats.pages_scanned;
	entry.pages_skipped_parent = dump->stats.pages_skipped_parent;
	entry.pages_written = dump->stats.pages_written;
	entry.has_shpages_written = true;
	entry.shpages_written = dump->shpages_written;
	stats.dump = &entry;
	return image_write_one(dir, IMG_KIND_STATS_DUMP, 0, &stats.base, err);
}

static int write_stats(struct dump *dump, uint64_t end_ns, struct error *err)
{
	dump->stats.frozen_us = (end_ns - dump->frozen_ns) / NS_PER_US;
	return dump_stats_write(dump, err);
}

/* What is written from now on is new to these images. */
static int track_all(struct dump *dump, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < dump->n_tasks && r == 0; i++) {
		struct dump_task *task = &dump->tasks[i];

		if (task->state == DUMP_TASK_DEAD)
			continue;
		r = dump_task_open(task, err);
		if (r == 0)
			r = track_plant(task, err);
		if (r == 0)
			r = track_begin(dump, task, err);
		if (r == 0)
			r = track_protect(task, err);
		dump_task_close(task);
	}
	return r;
}

/* All tasks are stopped: nothing they have can change. */
static int dump_frozen(struct dump *dump, struct error *err)
{
	int r;

	r = dump_tree_collect(dump, err);
	if (r == 0)
		r = dump_ids_collect(dump, err);
	if (r == 0)
		r = mnt_collect(dump, err);
	if (r == 0)
		r = namespaces_write_ipc(dump, err);
	if (r == 0)
		r = mqueue_copy_messages(dump, err);
	for (size_t i = 0; i < dump->n_tasks && r == 0; i++)
		r = dump_task(dump, &dump->tasks[i], err);
	if (r == 0)
		r = sk_queue_dump_passed(dump, err);
	if (r == 0)
		r = unix_finish(dump, err);
	if (r == 0)
		r = sk_queue_finish(dump, err);
	if (r == 0)
		r = tcp_finish(dump, err);
	if (r == 0)
		r = watched_finish(dump, err);
	if (r == 0)
		r = tty_finish(dump, err);
	if (r == 0)
		r = mqueue_write(dump, err);
	if (r == 0)
		r = shmem_write(dump, err);
	if (r == 0)
		r = seccomp_write(dump, err);
	if (r == 0)
		r = dump_ids_write(dump, err);
	if (r == 0)
		r = dump_tree_write(dump, err);
	if (r == 0)
		r = mnt_write(dump, err);
	if (r == 0)
		r = namespaces_write(dump, err);
	if (r == 0)
		r = userns_write(dump, err);
	if (r == 0)
		r = cgroup_write(dump, err);
	if (r == 0)
		r = finish_images(dump, err);
	if (r == 0 && dump->opts->track_mem)
		r = track_all(dump, err);
	if (r == 0)
		r = dump_inventory_write(dump, err);
	if (r == 0 && dump->opts->early_stats)
		r = write_stats(dump, clock_mono_ns(), err);
	if (r == 0 && dump->opts->complete)
		r = dump->opts->complete(dump->opts->arg, err);
	return r < 0 ? r : tty_drain(dump, err);
}

/* *ret_end_ns: when its tasks were no longer frozen. */
static int release(struct dump *dump, uint64_t *ret_end_ns, struct error *err)
{
	int r;

	switch (dump->opts->after) {
	case CRYO_AFTER_KILL:
		tcp_hold(dump);
		return freeze_kill(&dump->freeze, ret_end_ns, err);
	case CRYO_AFTER_RUN:
		r = freeze_thaw(&dump->freeze, err);
		break;
	case CRYO_AFTER_STOP:
		r = freeze_leave_stopped(&dump->freeze, err);
		break;
	default:
		return err_set(err, -EINVAL, "unknown fate of the tree: %d",
			       (int)dump->opts->after);
	}
	*ret_end_ns = clock_mono_ns();
	return r;
}

static void dump_done(struct dump *dump)
{
	freeze_done(&dump->freeze);
	image_done(&dump->files);
	image_done(&dump->pipes);
	image_done(&dump->fifos);
	image_done(&dump->remaps);
	image_done(&dump->memfds);
	memfds_done(dump);
	shmem_done(dump);
	pipes_done(dump);
	link_remaps_done(dump, !dump->complete || dump->opts->after == CRYO_AFTER_RUN);
	locks_dump_done(dump);
	watched_done(dump);
	unix_done(dump);
	sk_queue_done(dump);
	sk_more_done(dump);
	tcp_done(dump);
	tty_done(dump);
	dump_pages_done(dump);
	dump_parent_done(dump);
	dump_tree_done(dump);
	mnt_done(dump);
	cgroup_done(dump);
	timed_calls_done(&dump->timed_calls);
	crew_free(dump->crew);
	file_ids_free(dump->file_ids);
	settings_done(dump);
	dump_images_done(dump);
	arena_done(&dump->arena);
}

static int run(struct dump *dump, struct error *err)
{
	uint64_t end = 0;
	int r;

	r = prepare(dump, err);
	if (r < 0)
		return r;
	r = timed_calls_look(&dump->timed_calls, dump->opts->pid, err);
	if (r < 0)
		return r;
	log_debug("freezing the tree of %d", dump->opts->pid);
	r = freeze_begin(&dump->freeze, dump->opts->pid, dump->opts->timeout_s * 1000, err);
	if (r < 0)
		return r;
	dump->frozen_ns = dump->freeze.frozen_ns;
	dump->stats.freezing_us = (dump->freeze.frozen_ns - dump->freeze.began_ns) / NS_PER_US;
	log_hold();
	log_debug("%zu tasks are frozen", dump->freeze.n_tasks);
	r = dump_frozen(dump, err);
	if (r < 0)
		return r;
	/* From here on the images are complete: what fails below does not take them back. */
	dump->complete = true;
	r = release(dump, &end, err);
	if (r < 0)
		return r;
	return write_stats(dump, end, err);
}

int cryo_dump(const struct cryo_dump_opts *opts, struct cryo_dump_stats *ret_stats,
	      struct error *err)
{
	struct dump *dump = calloc(1, sizeof(*dump));
	int r;

	if (!dump)
		return err_oom(err);
	*dump = (struct dump){
		.opts = opts,
		.freeze = FREEZE_INIT,
		.parent_dir = -EBADF,
		.files = IMAGE_INIT,
		.pipes = IMAGE_INIT,
		.fifos = IMAGE_INIT,
		.remaps = IMAGE_INIT,
		.memfds = IMAGE_INIT,
		.locks = IMAGE_INIT,
	};
	r = run(dump, err);
	if (r < 0 && !dump->complete)
		tty_refill(dump);
	/* The tree first: it must not wait for us to tidy up. */
	freeze_done(&dump->freeze);
	log_flush();
	dump_images_remove(dump, !dump->complete);
	if (r == 0 && ret_stats)
		*ret_stats = dump->stats;
	dump_done(dump);
	free(dump);
	return r;
}
