/*
 * cred-restore: users, groups, capabilities, no_new_privs.
 *
 * The order matters:
 *	1. the bounding set is cut down while CAP_SETPCAP is there
 *	2. "no setuid fixup": changing users takes no capabilities away
 *	3. groups, then users
 *	4. inheritable set, then the ambient one, which needs it
 *	5. the task's own securebits, still with CAP_SETPCAP
 *	6. the final capabilities
 */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#define GROUPS_MAX 65536
#define CAP_WORDS 2

struct cap_sets {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[CAP_WORDS];
};

static uint64_t words(size_t n, const uint32_t *word)
{
	return (n > 0 ? word[0] : 0) | (n > 1 ? (uint64_t)word[1] << 32 : 0);
}

static void tape_capset(struct restore *r, struct rthread *th, uint64_t effective,
			uint64_t permitted, uint64_t inheritable, const char *label)
{
	struct cap_sets sets = { .head.version = _LINUX_CAPABILITY_VERSION_3 };
	uint64_t at;

	for (int i = 0; i < CAP_WORDS; i++) {
		sets.data[i].effective = (uint32_t)(effective >> (32 * i));
		sets.data[i].permitted = (uint32_t)(permitted >> (32 * i));
		sets.data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	at = area_add(&r->area, &sets, sizeof(sets));
	tape_call(th->tape, SYS_capset,
		  TAPE_ARGS(tape_at(at), tape_at(at + offsetof(struct cap_sets, data))), "%s",
		  label);
}

static int own_permitted(uint64_t *ret, struct error *err)
{
	struct cap_sets sets = { .head.version = _LINUX_CAPABILITY_VERSION_3 };

	if (syscall(SYS_capget, &sets.head, sets.data) < 0)
		return err_sys(err, "read own capabilities");
	*ret = sets.data[0].permitted | (uint64_t)sets.data[1].permitted << 32;
	return 0;
}

bool cred_own_cap(unsigned int cap)
{
	uint64_t own = 0;

	return own_permitted(&own, NULL) >= 0 && own >> cap & 1;
}

/* Who is born into a new user namespace has all of them there, whatever we have here. */
static int permitted_there(const struct restore *r, uint64_t *ret, struct error *err)
{
	if (!r->userns)
		return own_permitted(ret, err);
	*ret = 0;
	for (unsigned int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		*ret |= UINT64_C(1) << cap;
	return 0;
}

static void tape_bounding(const struct restore *r, struct rthread *th, uint64_t bounding)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		int have = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (have < 0)
			break; /* beyond the last one */
		have |= r->userns != NULL;
		if (have && !(bounding >> cap & 1))
			tape_call(th->tape, SYS_prctl,
				  TAPE_ARGS(tape_imm(PR_CAPBSET_DROP), tape_imm(cap)),
				  "dropping capability %u from the bounding set", cap);
		else if (!have && bounding >> cap & 1)
			log_debug("task %u: capability %u is not in our own bounding set", th->tid,
				  cap);
	}
}

static void tape_users(struct restore *r, struct rthread *th, const CredsEntry *c)
{
	struct tape *tape = th->tape;

	tape_call(
		tape, SYS_setgroups,
		TAPE_ARGS(tape_imm(c->n_groups),
			  tape_at(area_add(&r->area, c->groups, c->n_groups * sizeof(*c->groups)))),
		"%zu supplementary groups", c->n_groups);
	tape_call(tape, SYS_setresgid,
		  TAPE_ARGS(tape_imm(c->gid), tape_imm(c->egid), tape_imm(c->sgid)),
		  "groups %u %u %u", c->gid, c->egid, c->sgid);
	if (c->fsgid != c->egid)
		tape_call(tape, SYS_setfsgid, TAPE_ARGS(tape_imm(c->fsgid)), "file system group %u",
			  c->fsgid);
	tape_call(tape, SYS_setresuid,
		  TAPE_ARGS(tape_imm(c->uid), tape_imm(c->euid), tape_imm(c->suid)),
		  "users %u %u %u", c->uid, c->euid, c->suid);
	if (c->fsuid != c->euid)
		tape_call(tape, SYS_setfsuid, TAPE_ARGS(tape_imm(c->fsuid)), "file system user %u",
			  c->fsuid);
}

static void tape_securebits(struct rthread *th, uint32_t bits)
{
	tape_call(th->tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_SET_SECUREBITS), tape_imm(bits)),
		  "securebits %#x", bits);
}

int cred_tape(struct restore *r, struct rtask *t, struct rthread *th, struct error *err)
{
	const CredsEntry *c = th->core->thread_core->creds;
	uint64_t ambient, permitted, effective, inheritable, own = 0;
	int ret;

	if (!c) {
		ret = image_read_one(r->opts->images_dir, IMG_KIND_CREDS, t->pid, &r->arena, &c,
				     err);
		if (ret < 0)
			return ret;
	}
	if (c->n_groups > GROUPS_MAX)
		return err_set(err, -EBADMSG, "core-%u.img: %zu groups", th->tid, c->n_groups);
	ret = permitted_there(r, &own, err);
	if (ret < 0)
		return ret;
	permitted = words(c->n_cap_prm, c->cap_prm);
	effective = words(c->n_cap_eff, c->cap_eff);
	inheritable = words(c->n_cap_inh, c->cap_inh);
	ambient = words(c->n_cap_amb, c->cap_amb);
	if (permitted & ~own)
		return err_set(err, -EPERM, "task %u (%s) has capability %d, which we lack", t->pid,
			       rtask_comm(t), __builtin_ctzll(permitted & ~own));

	tape_bounding(r, th, words(c->n_cap_bnd, c->cap_bnd));
	tape_securebits(th, SECBIT_NO_SETUID_FIXUP);
	tape_users(r, th, c);
	tape_capset(r, th, own, own, inheritable, "inheritable capabilities");
	for (unsigned int cap = 0; cap < 64; cap++)
		if (ambient >> cap & 1)
			tape_call(th->tape, SYS_prctl,
				  TAPE_ARGS(tape_imm(PR_CAP_AMBIENT),
					    tape_imm(PR_CAP_AMBIENT_RAISE), tape_imm(cap)),
				  "ambient capability %u", cap);
	tape_securebits(th, c->secbits);
	tape_capset(r, th, effective, permitted, inheritable, "capabilities");
	if (c->has_no_new_privs && c->no_new_privs)
		tape_call(th->tape, SYS_prctl,
			  TAPE_ARGS(tape_imm(PR_SET_NO_NEW_PRIVS), tape_imm(1)),
			  "no new privileges");
	if (c->lsm_profile && *c->lsm_profile)
		return err_set(err, -EOPNOTSUPP, "task %u (%s) had the security label '%s'", t->pid,
			       rtask_comm(t), c->lsm_profile);
	return 0;
}
