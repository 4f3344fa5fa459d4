/*
 * tty-session-restore: whose terminal it is.
 *
 * A session's leader takes the terminal (TIOCSCTTY) right after it began the
 * session, before it has children: they inherit it, and nothing else would give
 * it to them. What was opened through /dev/tty is opened by the leader, too,
 * since it means that session's terminal, and inherited. The foreground group
 * is set when all groups are there.
 *
 * A session whose leader is gone has no terminal: its end has hung it up.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/tty-restore.h"

#define OPEN_FLAGS(flags) (((flags) & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC)) | O_NOCTTY)

static const TtyInfoEntry *any_info(const struct rpty *pty)
{
	return pty->slave ? pty->slave : pty->master ? pty->master : pty->outside;
}

static uint32_t session_of(const struct rpty *pty)
{
	/* In images that hold both ends a master's word counts, as the kernel's does. */
	return pty->master && pty->master->sid ? pty->master->sid : any_info(pty)->sid;
}

static uint32_t group_of(const struct rpty *pty)
{
	return pty->master && pty->master->sid ? pty->master->pgrp : any_info(pty)->pgrp;
}

struct rpty *ttys_of_session(const struct restore *r, uint32_t sid)
{
	for (size_t i = 0; r->ttys && sid && i < r->ttys->n_ptys; i++)
		if (session_of(&r->ttys->ptys[i]) == sid)
			return &r->ttys->ptys[i];
	return NULL;
}

/* ------------------------------------------------------------------ /dev/tty */

static bool holds(const struct rtask *t, uint32_t id)
{
	for (size_t i = 0; i < t->n_fds; i++)
		if (t->fds[i]->id == id)
			return true;
	return false;
}

/* Does it get what the leader opens once its session has begun? */
static bool inherits(const struct rtask *t, const struct rtask *leader)
{
	for (; t && t != leader; t = t->forker)
		if (t->forker == leader && t->before_setsid)
			return false;
	return t == leader;
}

static bool all_inherit(const struct restore *r, const struct rtask *leader, uint32_t id)
{
	for (size_t i = 0; i < r->n_tasks; i++)
		if (holds(r->tasks[i], id) && !inherits(r->tasks[i], leader))
			return false;
	return true;
}

/* Where the leader can't open it for all its holders: the same terminal by its own name. */
static int by_name_tape(struct restore *r, struct tape *tape, struct rfile *file,
			const struct rpty *pty, struct error *err)
{
	uint32_t flags = OPEN_FLAGS(file->entry->tty->flags);
	uint32_t slot = tape_call(
		tape, SYS_ioctl,
		TAPE_ARGS(tape_imm((uint64_t)pty->staging), tape_imm(TIOCGPTPEER), tape_imm(flags)),
		"opening terminal %u", pty->index);

	return rfile_stage(r, tape, file, slot, err);
}

static int outer_tape(struct restore *r, struct rfile *file, struct error *err)
{
	int fd = open("/dev/tty", (int)OPEN_FLAGS(file->entry->tty->flags) | O_CLOEXEC);

	if (fd < 0) {
		int ret = err_sys(err, "open '/dev/tty' of our own session");

		err_hint(err, "restore it from a shell in a terminal");
		return ret;
	}
	file->staging = fd_stage_consume(r, fd, err);
	return file->staging < 0 ? file->staging : 0;
}

int tty_own_tape(struct restore *r, struct tape *tape, struct rfile *file, const TtyInfoEntry *info,
		 struct error *err)
{
	struct rtask *leader = restore_find_task(r, info->sid);
	struct rpty *pty = ttys_of_session(r, info->sid);
	struct rown *own;
	int ret;

	if (!leader && r->opts->shell_job)
		return outer_tape(r, file, err);
	if (!leader || !rtask_lives(leader) || leader->sid != leader->pid || !pty)
		return err_set(
			err, -EBADMSG,
			"tty-info.img: /dev/tty is that of session %u, which has no terminal",
			info->sid);
	ret = ttys_make(r, pty, err);
	if (ret < 0)
		return ret;
	if (!all_inherit(r, leader, file->entry->id) && !pty->outside && !pty->borrowed)
		return by_name_tape(r, tape, file, pty, err);
	file->staging = fd_stage(r, err);
	if (file->staging < 0)
		return file->staging;
	own = &r->ttys->owns[r->ttys->n_owns++];
	*own = (struct rown){ .file = file, .leader = leader, .staging = file->staging };
	return 0;
}

/* ------------------------------------------------------------------ sessions */

static void tape_take(struct rtask *t, const struct rpty *pty)
{
	/* What was handed over for this may be another session's: it is taken from that. Our own
	 * terminal is not taken from our shell. */
	uint32_t entry = tape_call(t->build, SYS_ioctl,
				   TAPE_ARGS(tape_imm((uint64_t)pty->staging), tape_imm(TIOCSCTTY),
					     tape_imm(!pty->borrowed)),
				   "terminal %u is that of session %u", pty->index, t->pid);

	if (pty->borrowed)
		tape_expect(t->build, entry, PIE_RULE_OK_OR, EPERM);
}

void ttys_tape_session(struct restore *r, struct rtask *t)
{
	const struct rpty *pty = ttys_of_session(r, t->pid);

	if (!pty || pty->staging < 0 || !rtask_lives(t))
		return;
	tape_take(t, pty);
	for (size_t i = 0; i < r->ttys->n_owns; i++) {
		const struct rown *own = &r->ttys->owns[i];
		uint32_t flags = OPEN_FLAGS(own->file->entry->tty->flags);
		uint32_t slot;

		if (own->leader != t)
			continue;
		slot = tape_call(t->build, SYS_openat,
				 TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD),
					   tape_at(area_add_string(&r->area, "/dev/tty")),
					   tape_imm(flags)),
				 "open '/dev/tty'");
		fd_tape_stage(t->build, slot, own->staging);
	}
}

/* ---------------------------------------------------------- foreground groups */

/* The group that the terminal of that task's session obeys; 0: it is so already. */
static uint32_t foreground(const struct restore *r, const struct rtask *t, struct rpty **ret)
{
	if (!r->ttys || !rtask_lives(t))
		return 0;
	if (t->sid == t->pid) {
		uint32_t group;

		*ret = ttys_of_session(r, t->pid);
		group = *ret && !(*ret)->borrowed && (*ret)->staging >= 0 ? group_of(*ret) : 0;
		return group == t->pid ? 0 : group;
	}
	/* A shell's job gets the terminal if it has a group of its own, and if it is ours to give.
	 */
	if (t != r->root || t->pgid != t->pid)
		return 0;
	for (size_t i = 0; i < r->ttys->n_ptys; i++) {
		*ret = &r->ttys->ptys[i];
		if ((*ret)->borrowed && tcgetpgrp((*ret)->staging) == getpgrp())
			return t->pgid;
	}
	return 0;
}

static bool group_exists(const struct restore *r, uint32_t pgid)
{
	for (size_t i = 0; i < r->n_tasks; i++)
		if (r->tasks[i]->pgid == pgid)
			return true;
	return false;
}

bool ttys_want_groups(const struct restore *r)
{
	struct rpty *pty = NULL;

	for (size_t i = 0; i < r->n_tasks; i++)
		if (foreground(r, r->tasks[i], &pty))
			return true;
	return false;
}

void ttys_tape_foreground(struct restore *r, struct rtask *t)
{
	struct rpty *pty = NULL;
	uint32_t group = foreground(r, t, &pty);

	if (!group)
		return;
	if (!group_exists(r, group)) {
		log_debug("terminal %u: its foreground group %u has no members", pty->index, group);
		return;
	}
	tape_call(t->build, SYS_ioctl,
		  TAPE_ARGS(tape_imm((uint64_t)pty->staging), tape_imm(TIOCSPGRP),
			    tape_at(area_add(&r->area, &group, sizeof(group)))),
		  "group %u is in the foreground of terminal %u", group, pty->index);
}
