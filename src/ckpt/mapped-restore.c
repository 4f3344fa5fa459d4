/*
 * mapped-restore: what must wait until each task has its memory: seals that
 * forbid what the tasks have mapped, System V segments that are removed while
 * attached, and that setting by which they vanish where they are not. Tasks only
 * say that they are ready; R waits for them.
 */
#include "ckpt/file-restore.h"
#include "ckpt/ipc.h"
#include "ckpt/memfd.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sysv.h"

static int tape_forced(struct restore *r, struct error *err)
{
	int ret = r->shm_rmid_forced ? fd_keep(r->root, r->proc_fd, err) : 0;

	if (ret < 0 || !r->shm_rmid_forced)
		return ret;
	return ipc_tape_setting(r, r->root->become, "kernel/shm_rmid_forced", "1", err);
}

int mapped_tape(struct restore *r, struct rtask *t, struct error *err)
{
	int seals = memfds_seal_late(r, err);

	if (seals < 0)
		return seals;
	if (!seals && !sysv_has_removed(r) && !r->shm_rmid_forced)
		return 0;
	tape_post_last(t->become, r->words.mapped, r->n_living, "has its memory");
	if (t != r->root)
		return 0;
	tape_barrier(t->become, r->words.mapped, r->n_living, "waiting for all memory");
	memfds_tape_seal_late(r);
	sysv_tape_remove(r);
	return tape_forced(r, err);
}
