/*
 * ns-nested: namespaces of the tree that the root task is not in.
 *
 * R makes each, fills it and keeps a descriptor of it; in the end it goes back
 * to its own. A task whose namespace it is enters it when its children, which
 * would be born there too, have been made.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/ipc.h"
#include "ckpt/ns-restore.h"
#include "ckpt/restore-priv.h"

static const struct nested_kind {
	uint64_t flag;
	const char *name;
	int (*fill)(struct restore *r, uint32_t id, struct error *err);
} nested_kinds[] = {
	{ CLONE_NEWUTS, "uts", ns_tape_uts },
	{ CLONE_NEWIPC, "ipc", ipc_tape },
};

struct rnested {
	struct rnested *next;
	const struct nested_kind *kind;
	uint32_t id;
	int fd; /* staging number */
};

bool ns_may_nest(uint64_t flag)
{
	for (size_t i = 0; i < ARRAY_SIZE(nested_kinds); i++)
		if (nested_kinds[i].flag == flag)
			return true;
	return false;
}

static const struct rnested *find(const struct restore *r, const struct nested_kind *kind,
				  uint32_t id)
{
	for (const struct rnested *n = r->nested; n; n = n->next)
		if (n->kind == kind && n->id == id)
			return n;
	return NULL;
}

/* R's present one. */
static int tape_hold(struct restore *r, const struct nested_kind *kind, uint32_t id, int *ret_fd,
		     struct error *err)
{
	char path[32];
	uint32_t slot;

	(void)snprintf(path, sizeof(path), "self/ns/%s", kind->name); /* always fits */
	slot = tape_call(r->root->build, SYS_openat,
			 TAPE_ARGS(tape_imm((uint64_t)r->proc_fd),
				   tape_at(area_add_string(&r->area, path)),
				   tape_imm(O_RDONLY | O_CLOEXEC)),
			 "holding %s namespace %u", kind->name, id);
	*ret_fd = fd_stage(r, err);
	if (*ret_fd < 0)
		return *ret_fd;
	fd_tape_stage(r->root->build, slot, *ret_fd);
	return 0;
}

static int tape_make(struct restore *r, const struct nested_kind *kind, uint32_t id,
		     struct error *err)
{
	struct rnested *n = arena_new(&r->arena, struct rnested);
	int ret;

	if (!n)
		return err_oom(err);
	*n = (struct rnested){ .next = r->nested, .kind = kind, .id = id };
	r->nested = n;
	tape_call(r->root->build, SYS_unshare, TAPE_ARGS(tape_imm(kind->flag)),
		  "making %s namespace %u", kind->name, id);
	ret = tape_hold(r, kind, id, &n->fd, err);
	return ret < 0 ? ret : kind->fill(r, id, err);
}

static int tape_kind(struct restore *r, const struct nested_kind *kind, struct error *err)
{
	uint32_t own = ns_id(r->root->ids, kind->flag);
	int home = -1;
	int ret = 0;

	for (size_t i = 0; i < r->n_image_tasks && ret >= 0; i++) {
		const TaskKobjIdsEntry *ids = r->tasks[i]->ids;
		uint32_t id = ids ? ns_id(ids, kind->flag) : own;

		if (id == own || find(r, kind, id))
			continue;
		if (home < 0)
			ret = tape_hold(r, kind, own, &home, err);
		if (ret >= 0)
			ret = tape_make(r, kind, id, err);
	}
	if (ret >= 0 && home >= 0)
		tape_call(r->root->build, SYS_setns,
			  TAPE_ARGS(tape_imm((uint64_t)home), tape_imm(kind->flag)),
			  "going back to %s namespace %u", kind->name, own);
	return ret;
}

int ns_tape_nested(struct restore *r, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(nested_kinds) && ret >= 0; i++)
		ret = tape_kind(r, &nested_kinds[i], err);
	return ret;
}

void ns_tape_enter(struct restore *r, struct rtask *t)
{
	for (size_t i = 0; r->nested && i < ARRAY_SIZE(nested_kinds); i++) {
		const struct nested_kind *kind = &nested_kinds[i];
		const struct rnested *n = find(r, kind, ns_id(t->ids, kind->flag));

		if (n)
			tape_call(t->build, SYS_setns,
				  TAPE_ARGS(tape_imm((uint64_t)n->fd), tape_imm(kind->flag)),
				  "entering %s namespace %u", kind->name, n->id);
	}
}
