/*
 * mount-share: propagation between the mounts of the tree.
 *
 * Mounts with one shared_id are peers; one whose master_id is the shared_id of
 * others receives from them. The trees were built with private mounts, so that
 * nothing propagated meanwhile. Now, masters first: one mount of a group gets
 * its master from a mount of the master's group and becomes shared; the other
 * peers get their group from it (MOVE_MOUNT_SET_GROUP). The kernel gives a
 * group only to a mount that shows no more than who it has it from.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "ckpt/mount-priv.h"
#include "ckpt/restore-priv.h"

static void tape_propagation(struct restore *r, const struct rmount *m, uint64_t propagation,
			     const char *what)
{
	struct mount_attr attr = { .propagation = propagation };

	mount_tape_go(r, m->ns);
	tape_call(r->root->build, SYS_mount_setattr,
		  TAPE_ARGS(tape_imm((uint64_t)m->fd), tape_at(area_add_string(&r->area, "")),
			    tape_imm(AT_EMPTY_PATH),
			    tape_at(area_add(&r->area, &attr, sizeof(attr))),
			    tape_imm(sizeof(attr))),
		  "mount '%s' %s", m->entry->mountpoint, what);
}

static uint32_t tape_group(struct restore *r, const struct rmount *from, const struct rmount *to)
{
	uint64_t empty = area_add_string(&r->area, "");

	return tape_call(r->root->build, SYS_move_mount,
			 TAPE_ARGS(tape_imm((uint64_t)from->fd), tape_at(empty),
				   tape_imm((uint64_t)to->fd), tape_at(empty),
				   tape_imm(MOVE_MOUNT_SET_GROUP | MOVE_MOUNT_F_EMPTY_PATH |
					    MOVE_MOUNT_T_EMPTY_PATH)),
			 "mount '%s' propagates as '%s' does", to->entry->mountpoint,
			 from->entry->mountpoint);
}

static bool shows(const struct rmount *m, const struct rmount *all_of)
{
	return m->entry->root_dev == all_of->entry->root_dev &&
	       mount_below(all_of->entry->root, m->entry->root);
}

/* ---------------------------------------------------------------------- masters */

static const struct rmount *find_group(const struct restore *r, uint32_t shared_id,
				       const struct rmount *to)
{
	for (size_t i = 0; i < r->mounts->n; i++) {
		const struct rmount *m = &r->mounts->v[i];

		if (m->entry->shared_id == shared_id && m->done && shows(m, to))
			return m;
	}
	return NULL;
}

static bool group_is_here(const struct restore *r, uint32_t shared_id)
{
	for (size_t i = 0; i < r->mounts->n; i++)
		if (r->mounts->v[i].entry->shared_id == shared_id)
			return true;
	return false;
}

/*
 * A master outside: a copy of a mount that was given has it by itself. The
 * others take it from such a one before that becomes anything else. If what was
 * given has no master now, neither have they.
 */
static void share_outer_masters(struct restore *r)
{
	for (size_t i = 0; i < r->mounts->n; i++) {
		struct rmount *m = &r->mounts->v[i];

		if (!m->entry->master_id || group_is_here(r, m->entry->master_id))
			continue;
		for (size_t j = 0; !m->slave && j < r->mounts->n; j++) {
			const struct rmount *from = &r->mounts->v[j];

			if (!from->given || !from->slave || !shows(from, m) ||
			    from->entry->master_id != m->entry->master_id)
				continue;
			tape_expect(r->root->build, tape_group(r, from, m), PIE_RULE_OK_OR, EINVAL);
			break;
		}
		m->slave = true; /* or as good: nobody has that master */
	}
}

/* ----------------------------------------------------------------------- groups */

static int take_master(struct restore *r, struct rmount *m, struct error *err)
{
	const struct rmount *master = find_group(r, m->entry->master_id, m);

	if (!master)
		return err_set(err, -EOPNOTSUPP,
			       "mount '%s' receives from mounts that show less than it does",
			       m->entry->mountpoint);
	tape_group(r, master, m);
	tape_propagation(r, m, MS_SLAVE, "receives from them");
	m->slave = true;
	return 0;
}

/* The others get it from the one that shows most of the file system. */
static struct rmount *first_of(const struct restore *r, uint32_t shared_id)
{
	struct rmount *first = NULL;

	for (size_t i = 0; i < r->mounts->n; i++) {
		struct rmount *m = &r->mounts->v[i];

		if (m->entry->shared_id == shared_id &&
		    (!first || strlen(m->entry->root) < strlen(first->entry->root)))
			first = m;
	}
	return first;
}

static int share_peers(struct restore *r, struct rmount *m, struct error *err)
{
	struct rmount *first = first_of(r, m->entry->shared_id);

	if (m != first)
		return 0; /* it comes with its first */
	tape_propagation(r, m, MS_SHARED, "is shared");
	m->done = true;
	for (size_t i = 0; i < r->mounts->n; i++) {
		struct rmount *peer = &r->mounts->v[i];

		if (peer == m || peer->entry->shared_id != m->entry->shared_id)
			continue;
		if (!shows(m, peer))
			return err_set(err, -EOPNOTSUPP,
				       "mounts '%s' and '%s' are peers, but none shows all of the "
				       "other",
				       m->entry->mountpoint, peer->entry->mountpoint);
		if (peer->slave)
			tape_propagation(r, peer, MS_PRIVATE, "leaves its master for a moment");
		tape_group(r, m, peer);
		peer->slave = true;
		peer->done = true;
	}
	return 0;
}

/* Its master, if any, has what it will give. */
static bool is_ready(const struct restore *r, const struct rmount *m)
{
	if (m->slave || !m->entry->master_id)
		return true;
	for (size_t i = 0; i < r->mounts->n; i++)
		if (r->mounts->v[i].entry->shared_id == m->entry->master_id &&
		    !r->mounts->v[i].done)
			return false;
	return true;
}

static int share(struct restore *r, struct rmount *m, struct error *err)
{
	bool first = !m->entry->shared_id || m == first_of(r, m->entry->shared_id);
	int ret = 0;

	if (first && m->entry->master_id && !m->slave)
		ret = take_master(r, m, err);
	if (ret >= 0 && m->entry->shared_id)
		return share_peers(r, m, err);
	m->done = true;
	return ret;
}

int mounts_tape_share(struct restore *r, struct error *err)
{
	share_outer_masters(r);
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < r->mounts->n; i++) {
			struct rmount *m = &r->mounts->v[i];
			int ret;

			if (m->done || !is_ready(r, m))
				continue;
			ret = share(r, m, err);
			if (ret < 0)
				return ret;
			more |= m->done;
		}
	}
	for (size_t i = 0; i < r->mounts->n; i++) {
		const struct rmount *m = &r->mounts->v[i];

		if (!m->done)
			return err_set(err, -EBADMSG,
				       "mount '%s': the masters %u and %u receive from each other",
				       m->entry->mountpoint, m->entry->shared_id,
				       m->entry->master_id);
		if (m->entry->flags & MS_UNBINDABLE)
			tape_propagation(r, m, MS_UNBINDABLE, "is unbindable");
	}
	return 0;
}
