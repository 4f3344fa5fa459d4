/*
 * creds: user and group ids, capabilities, securebits and no_new_privs of a
 * thread. All but the securebits stand in /proc/PID/status.
 *
 * Ids are written as the caller's user namespace sees them, which is also
 * that of the tree: others are refused before.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/creds.h"

static int set_caps(uint64_t caps, struct arena *arena, size_t *ret_n, uint32_t **ret)
{
	uint32_t words[2] = { (uint32_t)caps, (uint32_t)(caps >> 32) };

	*ret = arena_memdup(arena, words, sizeof(words));
	*ret_n = ARRAY_SIZE(words);
	return *ret ? 0 : -ENOMEM;
}

int creds_record(const struct proc_status *status, struct arena *arena, CredsEntry **ret,
		 struct error *err)
{
	CredsEntry *creds = arena_new(arena, CredsEntry);

	if (!creds)
		return err_oom(err);
	creds_entry__init(creds);
	creds->uid = status->uid[0];
	creds->euid = status->uid[1];
	creds->suid = status->uid[2];
	creds->fsuid = status->uid[3];
	creds->gid = status->gid[0];
	creds->egid = status->gid[1];
	creds->sgid = status->gid[2];
	creds->fsgid = status->gid[3];
	if (set_caps(status->cap_inheritable, arena, &creds->n_cap_inh, &creds->cap_inh) < 0 ||
	    set_caps(status->cap_permitted, arena, &creds->n_cap_prm, &creds->cap_prm) < 0 ||
	    set_caps(status->cap_effective, arena, &creds->n_cap_eff, &creds->cap_eff) < 0 ||
	    set_caps(status->cap_bounding, arena, &creds->n_cap_bnd, &creds->cap_bnd) < 0)
		return err_oom(err);
	if (status->cap_ambient &&
	    set_caps(status->cap_ambient, arena, &creds->n_cap_amb, &creds->cap_amb) < 0)
		return err_oom(err);
	creds->n_groups = status->n_groups;
	creds->groups =
		arena_memdup(arena, status->groups, status->n_groups * sizeof(*creds->groups));
	if (!creds->groups)
		return err_oom(err);
	if (status->no_new_privs) {
		creds->has_no_new_privs = true;
		creds->no_new_privs = 1;
	}
	*ret = creds;
	return 0;
}
