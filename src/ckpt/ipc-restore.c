/*
 * ipc-restore: a new IPC namespace becomes the one of the images.
 *
 * Its objects may be more or larger than its settings allow by now. So these
 * are first raised as far as needed, and set when all is there.
 */
#include "ckpt/ipc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/mqueues.h"
#include "ckpt/ns-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sysv.h"
#include "img/image.h"
#include "img/pb/ipc-var.pb-c.h"

/* What a new IPC namespace begins with. */
#define SHM_DEFAULT (UINT64_MAX - (UINT64_C(1) << 24))
static const uint64_t fresh_sem[] = { 32000, 1024000000, 500, 32000 };

struct setting {
	const char *name;
	uint64_t value;
	uint64_t fresh;
	uint64_t need;
};

int ipc_tape_setting(struct restore *r, struct tape *tape, const char *name, const char *value,
		     struct error *err)
{
	int proc = ns_proc_fd(r, err);
	char path[64];
	uint32_t fd;

	if (proc < 0)
		return proc;
	(void)snprintf(path, sizeof(path), "sys/%s", name); /* names are short */
	fd = tape_call(tape, SYS_openat,
		       TAPE_ARGS(tape_imm((uint64_t)proc), tape_at(area_add_string(&r->area, path)),
				 tape_imm(O_WRONLY)),
		       "open /proc/%s", path);
	tape_call(tape, SYS_write,
		  TAPE_ARGS(tape_slot(fd), tape_at(area_add_string(&r->area, value)),
			    tape_imm(strlen(value))),
		  "setting %s to %s", name, value);
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(fd)), "setting %s", name);
	return 0;
}

static int tape_number(struct restore *r, struct tape *tape, const char *name, uint64_t value,
		       struct error *err)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return ipc_tape_setting(r, tape, name, text, err);
}

static int tape_sem(struct restore *r, struct tape *tape, const uint64_t v[4], struct error *err)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, v[0],
		       v[1], v[2], v[3]);
	return ipc_tape_setting(r, tape, "kernel/sem", text, err);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What is smaller than needed is raised; `now` tells what it is then. */
static int tape_raise(struct restore *r, struct tape *tape, struct setting *settings, size_t n,
		      struct error *err)
{
	int ret = 0;

	for (size_t i = 0; i < n && ret >= 0; i++) {
		if (settings[i].need <= settings[i].fresh)
			continue;
		ret = tape_number(r, tape, settings[i].name, settings[i].need, err);
		settings[i].fresh = settings[i].need;
	}
	return ret;
}

static int tape_sem_raised(struct restore *r, struct tape *tape, const struct sysv_needs *needs,
			   uint64_t now[4], struct error *err)
{
	memcpy(now, fresh_sem, sizeof(fresh_sem));
	now[0] = larger(now[0], needs->set);
	now[1] = larger(now[1], needs->sems);
	now[3] = larger(now[3], needs->sets);
	return memcmp(now, fresh_sem, sizeof(fresh_sem)) ? tape_sem(r, tape, now, err) : 0;
}

static int tape_settings(struct restore *r, struct tape *tape, const IpcVarEntry *v,
			 const struct setting *settings, size_t n, const uint64_t sem_now[4],
			 struct error *err)
{
	uint64_t sem[4];
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < n; i++)
		if (settings[i].value != settings[i].fresh)
			ret = tape_number(r, tape, settings[i].name, settings[i].value, err);
	if (ret < 0 || v->n_sem_ctls != ARRAY_SIZE(sem))
		return ret;
	for (size_t i = 0; i < ARRAY_SIZE(sem); i++)
		sem[i] = v->sem_ctls[i];
	return memcmp(sem, sem_now, sizeof(sem)) ? tape_sem(r, tape, sem, err) : 0;
}

/* Wishes for the next id, that nothing has used up. */
static int tape_wishes(struct restore *r, struct tape *tape, const IpcVarEntry *v,
		       struct error *err)
{
	int ret = 0;

	if (v->has_msg_next_id)
		ret = tape_number(r, tape, "kernel/msg_next_id", v->msg_next_id, err);
	if (ret >= 0 && v->has_sem_next_id)
		ret = tape_number(r, tape, "kernel/sem_next_id", v->sem_next_id, err);
	if (ret >= 0 && v->has_shm_next_id)
		ret = tape_number(r, tape, "kernel/shm_next_id", v->shm_next_id, err);
	return ret;
}

int ipc_tape(struct restore *r, uint32_t id, struct error *err)
{
	struct tape *tape = r->root->build;
	struct mqueue_needs mq = { 0 };
	struct sysv_needs needs = { 0 };
	IpcVarEntry *v = NULL;
	uint64_t sem_now[4];
	int ret = image_read_one(r->opts->images_dir, IMG_KIND_IPC_VAR, id, &r->arena, &v, err);

	if (ret >= 0)
		ret = sysv_load(r, id, &needs, err);
	if (ret >= 0)
		ret = mqueue_needs_of(r, id, &mq, err);
	if (ret < 0)
		return ret;
	struct setting settings[] = {
		{ "kernel/msgmax", v->msg_ctlmax, 8192, needs.message },
		{ "kernel/msgmnb", v->msg_ctlmnb, 16384, needs.queue },
		{ "kernel/msgmni", v->msg_ctlmni, 32000, needs.queues },
		{ "kernel/shmmax", v->shm_ctlmax, SHM_DEFAULT, 0 },
		{ "kernel/shmall", v->shm_ctlall, SHM_DEFAULT, 0 },
		{ "kernel/shmmni", v->shm_ctlmni, 4096, needs.segments },
		{ "fs/mqueue/queues_max", v->mq_queues_max, 256, mq.queues },
		{ "fs/mqueue/msg_max", v->mq_msg_max, 10, mq.messages },
		{ "fs/mqueue/msgsize_max", v->mq_msgsize_max, 8192, mq.message },
		{ "fs/mqueue/msg_default", v->has_mq_msg_default ? v->mq_msg_default : 10, 10, 0 },
		{ "fs/mqueue/msgsize_default",
		  v->has_mq_msgsize_default ? v->mq_msgsize_default : 8192, 8192, 0 },
	};

	if (v->shm_rmid_forced && id != r->root->ids->ipc_ns_id)
		return err_set(
			err, -EOPNOTSUPP,
			"ipc namespace %u: kernel.shm_rmid_forced can't be rebuilt in a namespace "
			"that is not the root task's",
			id);
	/* It would remove what is not attached yet. */
	r->shm_rmid_forced |= v->shm_rmid_forced != 0;
	ret = tape_raise(r, tape, settings, ARRAY_SIZE(settings), err);
	if (ret >= 0)
		ret = tape_sem_raised(r, tape, &needs, sem_now, err);
	if (ret >= 0)
		ret = sysv_tape(r, tape, err);
	if (ret >= 0)
		ret = mqueue_tape_queues(r, id, err);
	if (ret >= 0)
		ret = tape_settings(r, tape, v, settings, ARRAY_SIZE(settings), sem_now, err);
	return ret < 0 ? ret : tape_wishes(r, tape, v, err);
}
