/*
 * load-restore: from image files to the records that planning works on.
 *
 * All that can be found wrong or unsupported here is refused here: nothing
 * was made yet.
 */
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#define PID_LIMIT 4194304 /* the kernel's PID_MAX_LIMIT on 64 bits */

static int load_inventory(struct restore *r, struct error *err)
{
	int ret = image_read_one(r->opts->images_dir, IMG_KIND_INVENTORY, 0, &r->arena,
				 &r->inventory, err);

	if (ret < 0)
		return ret;
	if (r->inventory->img_version < 1 || r->inventory->img_version > 2)
		return err_set(err, -EOPNOTSUPP, "inventory.img: image version %u is not known",
			       r->inventory->img_version);
	if (!r->inventory->root_ids)
		return err_set(err, -EBADMSG, "inventory.img: no namespaces of the root task");
	if (!r->inventory->has_fdinfo_per_id || !r->inventory->fdinfo_per_id ||
	    !r->inventory->has_ns_per_id || !r->inventory->ns_per_id)
		return err_set(err, -EOPNOTSUPP,
			       "inventory.img: files written by a CRIU older than 2.0");
	if (r->inventory->has_lsmtype && r->inventory->lsmtype != LSMTYPE__NO_LSM)
		return err_set(err, -EOPNOTSUPP,
			       "the tasks were confined by a security module (%s)",
			       r->inventory->lsmtype == LSMTYPE__SELINUX ? "SELinux" : "AppArmor");
	return 0;
}

static int load_kind(struct rtask *t, struct error *err)
{
	const TaskCoreEntry *tc = t->core->tc;

	if (t->core->mtype != CORE_ENTRY__MARCH__X86_64)
		return err_set(err, -EOPNOTSUPP, "core-%u.img: not made on x86-64", t->pid);
	if (!tc)
		return err_set(err, -EBADMSG, "core-%u.img: no task record", t->pid);
	switch (tc->task_state) {
	case RTASK_STATE_ALIVE:
		t->kind = RTASK_ALIVE;
		break;
	case RTASK_STATE_STOPPED:
		t->kind = RTASK_STOPPED;
		break;
	case RTASK_STATE_DEAD:
	case RTASK_STATE_ZOMBIE:
		t->kind = RTASK_ZOMBIE;
		break;
	default:
		return err_set(err, -EBADMSG, "core-%u.img: task state %u is not known", t->pid,
			       tc->task_state);
	}
	return 0;
}

/* What of one thread this engine can't rebuild yet. */
static int check_thread(const struct rtask *t, const struct rthread *th, struct error *err)
{
	const ThreadInfoX86 *info = th->core->thread_info;

	if (th->core->mtype != CORE_ENTRY__MARCH__X86_64)
		return err_set(err, -EOPNOTSUPP, "core-%u.img: not made on x86-64", th->tid);
	if (!info || !info->gpregs || !info->fpregs || !th->core->thread_core)
		return err_set(err, -EBADMSG, "core-%u.img: no registers or no thread record",
			       th->tid);
	if (info->gpregs->has_mode && info->gpregs->mode == USER_X86_REGS_MODE__COMPAT)
		return err_set(err, -EOPNOTSUPP, "task %u (%s): thread %u is in 32-bit code",
			       t->pid, rtask_comm(t), th->tid);
	for (size_t i = 0; i < info->n_tls; i++)
		if (!info->tls[i]->seg_not_present)
			return err_set(err, -EOPNOTSUPP,
				       "task %u (%s): thread %u has GDT segments of its own",
				       t->pid, rtask_comm(t), th->tid);
	return 0;
}

/* The task itself first; the images have threads in any order. */
static int load_threads(struct restore *r, struct rtask *t, const PstreeEntry *entry,
			struct error *err)
{
	size_t n = entry->n_threads ? entry->n_threads : 1;

	t->threads = arena_new_array(&r->arena, struct rthread, n);
	if (!t->threads)
		return err_oom(err);
	t->threads[0] = (struct rthread){ .tid = t->pid, .core = t->core };
	t->n_threads = 1;
	for (size_t i = 0; i < entry->n_threads; i++) {
		struct rthread *th = &t->threads[t->n_threads];
		int ret;

		if (entry->threads[i] == t->pid)
			continue;
		if (entry->threads[i] == 0 || entry->threads[i] > PID_LIMIT || t->n_threads == n)
			return err_set(err, -EBADMSG, "pstree.img: process %u has a thread %u",
				       t->pid, entry->threads[i]);
		th->tid = entry->threads[i];
		ret = image_read_one(r->opts->images_dir, IMG_KIND_CORE, th->tid, &r->arena,
				     &th->core, err);
		if (ret < 0)
			return ret;
		t->n_threads++;
	}
	for (size_t i = 0; i < t->n_threads; i++) {
		int ret = check_thread(t, &t->threads[i], err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = (*(FdinfoEntry *const *)a)->fd;
	uint32_t y = (*(FdinfoEntry *const *)b)->fd;

	return x < y ? -1 : x > y;
}

static int load_fds(struct restore *r, struct rtask *t, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int dir = r->opts->images_dir;
	int ret = image_open(&image, dir, IMG_KIND_FDINFO, t->ids->files_id, err);

	if (ret < 0)
		return ret;
	if (!image.size) /* a task without descriptors has an image without records */
		return err_set(err, -EBADMSG, "%s: empty file", image.name);
	ret = image_read_all(dir, IMG_KIND_FDINFO, t->ids->files_id, &r->arena, &t->fds, &t->n_fds,
			     err);
	if (ret >= 0 && t->n_fds)
		qsort(t->fds, t->n_fds, sizeof(*t->fds), by_number);
	return ret;
}

static int load_living(struct restore *r, struct rtask *t, const PstreeEntry *entry,
		       struct error *err)
{
	int dir = r->opts->images_dir;
	int ret;

	t->ids = t->core->ids;
	if (!t->ids) {
		ret = image_read_one(dir, IMG_KIND_IDS, t->pid, &r->arena, &t->ids, err);
		if (ret < 0)
			return ret;
	}
	ret = load_threads(r, t, entry, err);
	if (ret < 0)
		return ret;
	ret = image_read_one(dir, IMG_KIND_MM, t->pid, &r->arena, &t->mm, err);
	if (ret < 0)
		return ret;
	ret = image_read_one(dir, IMG_KIND_FS, t->pid, &r->arena, &t->fs, err);
	if (ret < 0)
		return ret;
	return load_fds(r, t, err);
}

static int load_task(struct restore *r, const PstreeEntry *entry, struct error *err)
{
	struct rtask *t = NULL;
	int ret;

	if (entry->pid == 0 || entry->pid > PID_LIMIT || entry->sid > PID_LIMIT ||
	    entry->pgid > PID_LIMIT)
		return err_set(err, -EBADMSG, "pstree.img: process id %u is out of range",
			       entry->pid);
	if (restore_find_task(r, entry->pid))
		return err_set(err, -EBADMSG, "pstree.img: process %u is there twice", entry->pid);
	if (r->n_tasks >= RESTORE_TASKS_MAX)
		return err_set(err, -EBADMSG, "pstree.img: more than %d tasks", RESTORE_TASKS_MAX);

	t = restore_add_task(r, RTASK_ALIVE, entry->pid);
	if (!t)
		return err_oom(err);
	t->pgid = entry->pgid;
	t->sid = entry->sid;
	ret = image_read_one(r->opts->images_dir, IMG_KIND_CORE, t->pid, &r->arena, &t->core, err);
	if (ret < 0)
		return ret;
	ret = load_kind(t, err);
	if (ret < 0)
		return ret;
	if (entry->ppid) {
		t->parent = restore_find_task(r, entry->ppid);
		if (!t->parent || !rtask_lives(t->parent))
			return err_set(err, -EBADMSG, "pstree.img: process %u has no parent %u",
				       t->pid, entry->ppid);
	} else if (r->root) {
		return err_set(err, -EBADMSG, "pstree.img: two roots, %u and %u", r->root->pid,
			       t->pid);
	} else {
		r->root = t;
	}
	return rtask_lives(t) ? load_living(r, t, entry, err) : 0;
}

struct sharer {
	uint32_t id;
	const struct rtask *task;
};

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct sharer *)a)->id;
	uint32_t y = ((const struct sharer *)b)->id;

	return x < y ? -1 : x > y;
}

/* Tasks that share what this engine gives each its own of. */
static int check_sharing(const struct restore *r, struct error *err)
{
	static const struct {
		const char *what;
		size_t at;
	} ids[] = {
		{ "memory", offsetof(TaskKobjIdsEntry, vm_id) },
		{ "descriptor table", offsetof(TaskKobjIdsEntry, files_id) },
		{ "working folder", offsetof(TaskKobjIdsEntry, fs_id) },
		{ "signal handlers", offsetof(TaskKobjIdsEntry, sighand_id) },
	};
	cleanup_free struct sharer *all = calloc(r->n_tasks + 1, sizeof(*all));

	if (!all)
		return err_oom(err);
	for (size_t k = 0; k < ARRAY_SIZE(ids); k++) {
		size_t n = 0;

		for (size_t i = 0; i < r->n_tasks; i++) {
			const struct rtask *t = r->tasks[i];

			if (!t->ids)
				continue;
			all[n].task = t;
			memcpy(&all[n++].id, (const char *)t->ids + ids[k].at, sizeof(uint32_t));
		}
		qsort(all, n, sizeof(*all), by_id);
		for (size_t i = 1; i < n; i++)
			if (all[i].id == all[i - 1].id)
				return err_set(err, -EOPNOTSUPP, "tasks %u and %u share their %s",
					       all[i - 1].task->pid, all[i].task->pid, ids[k].what);
	}
	return 0;
}

static int load_tree(struct restore *r, struct error *err)
{
	PstreeEntry **entries = NULL;
	size_t n = 0;
	int ret = image_read_all(r->opts->images_dir, IMG_KIND_PSTREE, 0, &r->arena, &entries, &n,
				 err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < n; i++) {
		ret = load_task(r, entries[i], err);
		if (ret < 0)
			return ret;
	}
	if (!r->root || !rtask_lives(r->root))
		return err_set(err, -EBADMSG, "pstree.img: no living root task");
	r->n_image_tasks = r->n_tasks;
	return check_sharing(r, err);
}

static int load_seccomp(struct restore *r, struct error *err)
{
	int ret = image_read_one(r->opts->images_dir, IMG_KIND_SECCOMP, 0, &r->arena, &r->seccomp,
				 err);

	if (ret != -ENOENT)
		return ret;
	r->seccomp = NULL; /* no task has filters; cred-restore refuses if one says so */
	return 0;
}

int restore_load(struct restore *r, struct error *err)
{
	int ret;

	arena_init(&r->arena, ARENA_LIMIT);
	ret = load_inventory(r, err);
	if (ret < 0)
		return ret;
	ret = load_tree(r, err);
	if (ret < 0)
		return ret;
	ret = load_seccomp(r, err);
	if (ret < 0)
		return ret;
	ret = files_load(r, err);
	if (ret >= 0)
		ret = locks_load(r, err);
	if (ret < 0)
		return ret;
	log_debug("%zu tasks, %zu files read from the images", r->n_tasks, r->n_files);
	return 0;
}
