/*
 * tty-session-dump: whose terminals they are, when all tasks were seen.
 */
#include <asm/termbits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/tty-dump-priv.h"

/* A session or group as the tree sees it; 0: nobody of the tree is in it. */
static pid_t inner(const struct dump *dump, pid_t host, bool session)
{
	for (size_t i = 0; host && i < dump->n_tasks; i++) {
		const struct dump_task *task = &dump->tasks[i];

		if ((session ? task->stat.session : task->stat.pgrp) == host)
			return session ? task->ns_sid : task->ns_pgid;
	}
	return dump->ns[DUMP_NS_PID].other ? 0 : host;
}

/* Whose terminal a slave is that has its master elsewhere. */
static int find_session(const struct dump *dump, struct dump_tty *tty, struct error *err)
{
	unsigned int device = 0;

	if (ioctl(tty->fd, TIOCGDEV, &device) < 0)
		return err_sys(err, "%s: device of terminal '%s'", tty->where, tty->link);
	for (size_t i = 0; i < dump->n_tasks; i++) {
		const struct dump_task *task = &dump->tasks[i];
		bool others = false;

		if (task->stat.tty_nr != (int)device)
			continue;
		/* The same number in another devpts instance: its master tells. */
		for (const struct dump_tty *t = dump->ttys->first; t; t = t->next)
			others = others || (t->what == TTY_MASTER && t->sid == task->stat.session);
		if (others)
			continue;
		if (tty->sid && tty->sid != task->stat.session)
			return err_set(err, -EOPNOTSUPP,
				       "terminal '%s' could be that of two sessions, %d and %d",
				       tty->link, tty->sid, task->stat.session);
		tty->sid = task->stat.session;
		tty->pgrp = task->stat.tpgid;
	}
	return 0;
}

static int finish_session(struct dump *dump, struct dump_tty *tty, struct error *err)
{
	int r = 0;

	if (tty->hung)
		return 0;
	if (tty->what == TTY_SLAVE && tty->other) {
		tty->sid = tty->other->sid;
		tty->pgrp = tty->other->pgrp;
	} else if (tty->what == TTY_SLAVE || tty->outside) {
		r = find_session(dump, tty, err);
	}
	if (r < 0)
		return r;
	tty->info.sid = (uint32_t)inner(dump, tty->sid, true);
	tty->info.pgrp = (uint32_t)inner(dump, tty->pgrp > 0 ? tty->pgrp : 0, false);
	if (tty->sid && !tty->info.sid && !dump->opts->shell_job)
		return err_set(err, -EOPNOTSUPP,
			       "%s: terminal '%s' belongs to session %d, which is not in the tree",
			       tty->where, tty->link, tty->sid);
	/* Nobody is left in the foreground group: the leader's is as good. */
	if (tty->info.sid && !tty->info.pgrp)
		tty->info.pgrp = tty->info.sid;
	tty->info.termios = &tty->termios;
	tty->info.termios_locked = &tty->locked;
	tty->info.winsize = &tty->size;
	return 0;
}

static int check_pairs(const struct dump *dump, struct error *err)
{
	const struct dump_tty *alone = NULL;
	int r;

	for (const struct dump_tty *t = dump->ttys->first; t; t = t->next) {
		if (t->what != TTY_SLAVE || t->outside || t->hung || t->other)
			continue;
		if (!dump->opts->shell_job && !dump->opts->orphan_pts_master) {
			r = err_set(err, -EOPNOTSUPP,
				    "%s: terminal '%s': its other end is outside of the tree",
				    t->where, t->link);
			err_hint(err, "if it was started from a shell, use --shell-job on dump and "
				      "restore");
			return r;
		}
		if (alone && alone->dev == t->dev && alone->index == t->index)
			continue;
		if (alone)
			return err_set(
				err, -EOPNOTSUPP,
				"terminals '%s' (%s) and '%s' (%s) both have their other end "
				"outside of the tree: only one can be given back",
				alone->link, alone->where, t->link, t->where);
		alone = t;
	}
	return 0;
}

/* /dev/tty may be all that the tree has open of its terminal: the terminal is there as well. */
static int add_unopened(struct dump *dump, struct dump_tty *own, struct error *err)
{
	struct dump_fd fd = { .look = { .where = own->where, .link = own->link }, .fd = own->fd };
	struct dump_tty *tty;
	unsigned int device = 0;
	int r;

	for (tty = dump->ttys->first; tty; tty = tty->next)
		if (tty->info.type != TTY_TYPE__CTTY && !tty->hung && tty->sid == own->sid)
			return 0;
	tty = dump_tty_new(dump, &fd, TTY_SLAVE);
	if (!tty)
		return err_oom(err);
	if (fstat(own->fd, &fd.look.st) < 0 || ioctl(own->fd, TIOCGDEV, &device) < 0)
		return err_sys(err, "%s: device of '%s'", own->where, own->link);
	/* As the kernel packs it: 8 bits of the minor number, 12 of the major one, the rest. */
	tty->index = (device & 0xff) | (device >> 12 & 0xfff00);
	fd.look.st.st_rdev = makedev(device >> 8 & 0xfff, tty->index);
	if (tty_what(fd.look.st.st_rdev) != TTY_SLAVE)
		return err_set(err, -EOPNOTSUPP, "%s: '%s' is no pty but device %u:%u", own->where,
			       own->link, major(fd.look.st.st_rdev), tty->index);
	r = dump_tty_look(dump, &fd, tty, err);
	if (r < 0)
		return r;
	tty_pty_entry__init(&tty->pty);
	tty->pty.index = tty->index;
	tty->info.pty = &tty->pty;
	r = dump_tty_add(dump, &fd, tty, err);
	return r < 0 ? r : finish_session(dump, tty, err);
}

int tty_finish(struct dump *dump, struct error *err)
{
	struct image image = IMAGE_INIT;
	int r = 0;

	if (!dump->ttys || !dump->ttys->first)
		return 0;
	for (struct dump_tty *t = dump->ttys->first; t && r == 0; t = t->next)
		r = finish_session(dump, t, err);
	for (struct dump_tty *t = dump->ttys->first; t && r == 0; t = t->next)
		if (t->info.type == TTY_TYPE__CTTY)
			r = add_unopened(dump, t, err);
	if (r == 0)
		r = check_pairs(dump, err);
	if (r == 0)
		r = dump_image_create(dump, &image, IMG_KIND_TTY_INFO, 0, err);
	for (struct dump_tty *t = dump->ttys->first; t && r == 0; t = t->next) {
		log_debug("terminal %u '%s': session %u, foreground group %u", t->info.id, t->link,
			  t->info.sid, t->info.pgrp);
		r = image_write(&image, &t->info.base, err);
	}
	if (r == 0)
		r = image_finish(&image, err);
	image_done(&image);
	return r;
}
