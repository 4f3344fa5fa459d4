/*
 * mapped-restore: what must wait until each task has its memory: a seal that
 * forbids what the tasks have mapped. Tasks only say that they are ready; R
 * waits for them.
 */
#include "ckpt/memfd.h"
#include "ckpt/restore-priv.h"

static uint32_t count_living(const struct restore *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->n_tasks; i++)
		n += rtask_lives(r->tasks[i]);
	return n;
}

int mapped_tape(struct restore *r, struct rtask *t, struct error *err)
{
	int seals = memfds_seal_late(r, err);

	if (seals <= 0)
		return seals;
	tape_post(t->become, r->words.mapped, "has its memory");
	if (t != r->root)
		return 0;
	tape_barrier(t->become, r->words.mapped, count_living(r), "waiting for all memory");
	memfds_tape_seal_late(r);
	return 0;
}
