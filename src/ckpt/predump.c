/*
 * predump: memory only, while the tree runs.
 *
 *	frozen     each task gets a userfaultfd, if it has none
 *	running    its mappings are tracked; what is not in the parent images is
 *	           write-protected and copied
 *
 * A page that is written while it is copied counts as written for the next
 * round: what was copied of it is never used.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/check.h"
#include "ckpt/dump-priv.h"
#include "ckpt/file-ids.h"
#include "ckpt/track.h"
#include "cryo/dump.h"

static bool has_memory(const struct dump_task *task)
{
	return task->state != DUMP_TASK_DEAD;
}

static int plant(struct dump *dump, struct error *err)
{
	int r = dump_tree_collect(dump, err);

	for (size_t i = 0; i < dump->n_tasks && r == 0; i++) {
		struct dump_task *task = &dump->tasks[i];

		if (!has_memory(task))
			continue;
		r = dump_task_open(task, err);
		if (r == 0)
			r = track_plant(task, err);
		dump_task_close(task);
	}
	return r;
}

static int copy_task(struct dump *dump, struct dump_task *task, struct error *err)
{
	int r = dump_task_open(task, err);

	if (r == 0)
		r = dump_mm_look(dump, task, err);
	if (r == 0)
		task->trusts_parent = dump->parent_dir >= 0 && track_trusts(task, dump->parent_dir);
	if (r == 0)
		r = track_begin(dump, task, err);
	if (r == 0)
		r = dump_pages(dump, task, err);
	dump_task_close(task);
	return r;
}

static int run(struct dump *dump, struct error *err)
{
	uint64_t frozen;
	int r = check_privileges(err);

	if (r == 0)
		r = dump_parent_open(dump, err);
	if (r == 0)
		r = dump_images_prepare(dump, err);
	if (r == 0)
		r = dump_pages_prepare(dump, err);
	if (r == 0)
		r = freeze_begin(&dump->freeze, dump->opts->pid, dump->opts->timeout_s * 1000, err);
	if (r < 0)
		return r;
	frozen = dump->freeze.frozen_ns;
	dump->stats.freezing_us = (frozen - dump->freeze.began_ns) / NS_PER_US;
	r = plant(dump, err);
	if (r == 0)
		r = freeze_thaw(&dump->freeze, err);
	if (r < 0)
		return r;
	dump->stats.frozen_us = (clock_mono_ns() - frozen) / NS_PER_US;
	for (size_t i = 0; i < dump->n_tasks; i++) {
		struct error gone = ERROR_INIT;

		if (!has_memory(&dump->tasks[i]))
			continue;
		r = copy_task(dump, &dump->tasks[i], &gone);
		if (r == -ESRCH || r == -ENOENT) {
			log_debug("task %d ended meanwhile: %s", dump->tasks[i].host_pid,
				  gone.text);
			r = 0;
		}
		if (r < 0) {
			if (err)
				*err = gone;
			return r;
		}
	}
	dump->complete = true;
	return dump_stats_write(dump, err);
}

int cryo_pre_dump(const struct cryo_dump_opts *opts, struct cryo_dump_stats *ret_stats,
		  struct error *err)
{
	struct dump *dump = calloc(1, sizeof(*dump));
	int r;

	if (!dump)
		return err_oom(err);
	*dump = (struct dump){ .opts = opts, .freeze = FREEZE_INIT, .parent_dir = -EBADF };
	dump->only_memory = true;
	r = run(dump, err);
	freeze_done(&dump->freeze);
	dump_images_remove(dump, !dump->complete);
	if (r == 0 && ret_stats)
		*ret_stats = dump->stats;
	dump_parent_done(dump);
	dump_pages_done(dump);
	dump_tree_done(dump);
	dump_images_done(dump);
	arena_done(&dump->arena);
	free(dump);
	return r;
}
