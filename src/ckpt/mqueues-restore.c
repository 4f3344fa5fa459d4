/*
 * mqueues-restore: queues made again, with their messages; descriptors are
 * opened from them. A queue without a name has one until all are open.
 */
#include "ckpt/mqueues.h"

#include <fcntl.h>
#include <inttypes.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/mqueue.pb-c.h"

struct rmqueues {
	MqueueEntry **v;
	size_t n;
	int *staging; /* of each: open for both ways; -1: not made */
};

static int load(struct restore *r, struct error *err)
{
	struct rmqueues *all;
	int ret;

	if (r->mqueues)
		return 0;
	all = arena_new(&r->arena, struct rmqueues);
	if (!all)
		return err_oom(err);
	*all = (struct rmqueues){ .n = 0 };
	ret = image_read_all(r->opts->images_dir, IMG_KIND_MQUEUE, 0, &r->arena, &all->v, &all->n,
			     err);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	all->staging = arena_new_array(&r->arena, int, all->n + 1);
	if (!all->staging)
		return err_oom(err);
	for (size_t i = 0; i < all->n; i++)
		all->staging[i] = -1;
	r->mqueues = all;
	return 0;
}

int mqueue_needs_of(struct restore *r, uint32_t ns_id, struct mqueue_needs *ret, struct error *err)
{
	int code = load(r, err);

	*ret = (struct mqueue_needs){ .queues = 0 };
	for (size_t i = 0; code >= 0 && i < r->mqueues->n; i++) {
		const MqueueEntry *e = r->mqueues->v[i];

		if (e->ipc_ns_id != ns_id)
			continue;
		if (!e->max_messages || e->max_messages > INT32_MAX || !e->message_size ||
		    e->message_size > INT32_MAX)
			return err_set(err, -EBADMSG, "mqueue.img: size of queue '%s'", e->name);
		ret->queues++;
		if (ret->messages < e->max_messages)
			ret->messages = e->max_messages;
		if (ret->message < e->message_size)
			ret->message = e->message_size;
	}
	return code;
}

/* A name that no queue of the images has: those without one stand last in the directory order. */
static void present_name(const MqueueEntry *e, size_t i, char *name, size_t size)
{
	if (e->unlinked)
		(void)snprintf(name, size, "cryopod-unlinked-%zu", i);
	else
		(void)snprintf(name, size, "%.254s", e->name);
}

static int tape_queue(struct restore *r, size_t i, struct error *err)
{
	const MqueueEntry *e = r->mqueues->v[i];
	struct mq_attr attr = { .mq_maxmsg = (long)e->max_messages,
				.mq_msgsize = (long)e->message_size };
	struct tape *tape = r->root->build;
	int staging = fd_stage(r, err);
	char name[256];
	uint32_t slot;

	if (staging < 0)
		return staging;
	r->mqueues->staging[i] = staging;
	present_name(e, i, name, sizeof(name));
	slot = tape_call(tape, SYS_mq_open,
			 TAPE_ARGS(tape_at(area_add_string(&r->area, name)),
				   tape_imm(O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC),
				   tape_imm(e->mode),
				   tape_at(area_add(&r->area, &attr, sizeof(attr)))),
			 "making message queue '%s'", e->name);
	fd_tape_stage(tape, slot, staging);
	tape_call(tape, SYS_fchown,
		  TAPE_ARGS(tape_imm((uint64_t)staging), tape_imm(e->uid), tape_imm(e->gid)),
		  "owner of message queue '%s'", e->name);
	tape_call(tape, SYS_fchmod, TAPE_ARGS(tape_imm((uint64_t)staging), tape_imm(e->mode)),
		  "mode of message queue '%s'", e->name);
	for (size_t m = 0; m < e->n_messages; m++)
		tape_call(tape, SYS_mq_timedsend,
			  TAPE_ARGS(tape_imm((uint64_t)staging),
				    tape_at(area_add(&r->area, e->messages[m]->text.data,
						     e->messages[m]->text.len)),
				    tape_imm(e->messages[m]->text.len),
				    tape_imm(e->messages[m]->priority)),
			  "message %zu of queue '%s'", m, e->name);
	if (e->unlinked)
		tape_call(tape, SYS_mq_unlink, TAPE_ARGS(tape_at(area_add_string(&r->area, name))),
			  "taking the name of message queue '%s'", e->name);
	return 0;
}

int mqueue_tape_queues(struct restore *r, uint32_t ns_id, struct error *err)
{
	int ret = load(r, err);

	for (size_t i = 0; ret >= 0 && i < r->mqueues->n; i++)
		if (r->mqueues->v[i]->ipc_ns_id == ns_id)
			ret = tape_queue(r, i, err);
	return ret;
}

static const MqueueFile *find_file(const struct restore *r, uint32_t id, size_t *ret_queue)
{
	for (size_t i = 0; i < r->mqueues->n; i++)
		for (size_t j = 0; j < r->mqueues->v[i]->n_files; j++)
			if (r->mqueues->v[i]->files[j]->id == id) {
				*ret_queue = i;
				return r->mqueues->v[i]->files[j];
			}
	return NULL;
}

int mqueue_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const MqueueFile *f;
	const MqueueEntry *e;
	size_t queue = 0;
	char path[40];
	uint32_t flags;
	uint32_t slot;
	int ret = load(r, err);

	if (ret < 0)
		return ret;
	f = find_file(r, file->entry->id, &queue);
	if (!f)
		return err_set(err, -EOPNOTSUPP, "file %u was saved by a plugin of CRIU's",
			       file->entry->id);
	e = r->mqueues->v[queue];
	flags = f->flags & (O_ACCMODE | O_NONBLOCK);
	if (!e->ipc_ns_id) {
		slot = tape_call(
			tape, SYS_mq_open,
			TAPE_ARGS(tape_at(area_add_string(&r->area, e->name)), tape_imm(flags)),
			"opening message queue '%s', which is not the tree's own", e->name);
		return rfile_stage(r, tape, file, slot, err);
	}
	if (r->mqueues->staging[queue] < 0)
		return err_set(err, -EBADMSG, "mqueue.img: queue '%s' is of no namespace here",
			       e->name);
	(void)snprintf(path, sizeof(path), "self/fd/%d",
		       r->mqueues->staging[queue]); /* always fits */
	slot = tape_call(tape, SYS_openat,
			 TAPE_ARGS(tape_imm((uint64_t)r->proc_fd),
				   tape_at(area_add_string(&r->area, path)), tape_imm(flags)),
			 "opening message queue '%s'", e->name);
	return rfile_stage(r, tape, file, slot, err);
}
