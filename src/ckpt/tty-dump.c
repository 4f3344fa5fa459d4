/*
 * tty-dump: ptys of a tree, /dev/tty, and terminals that stay outside.
 *
 * All is asked of the descriptions themselves, which we share: settings, size,
 * locks, and of a master also the session of its slave. Who controls a slave
 * whose master is elsewhere is known from the tasks (tty_nr in /proc/PID/stat).
 * Nothing is opened and no ioctl changes anything, except at the very end: see
 * tty-queue-dump.c.
 */
#include <asm/termbits.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-ids.h"
#include "ckpt/mnt.h"
#include "ckpt/tty-dump-priv.h"

/*
 * Numbers of pairs. CRIU numbers ptys by their index and keeps these for others,
 * in a table of 1088. A pty whose index is another's (of a second devpts) gets
 * one of the last; one that is hung up needs no place in the table.
 */
#define INDEX_MAX 1000
#define NUMBER_OWN 1006
#define NUMBER_OUTSIDE 1013
#define N_OUTSIDE 64
#define NUMBER_MORE 1077
#define NUMBER_MAX 1087
#define NUMBER_HUNG 65536

static struct dump_ttys *ttys_of(struct dump *dump)
{
	if (!dump->ttys) {
		dump->ttys = arena_new(&dump->arena, struct dump_ttys);
		if (!dump->ttys)
			return NULL;
		dump->ttys->next_number = NUMBER_MORE;
		dump->ttys->next_hung = NUMBER_HUNG;
		dump->ttys->next_outside = NUMBER_OUTSIDE;
		dump->ttys->data = (struct image)IMAGE_INIT;
	}
	return dump->ttys;
}

/* ------------------------------------------------------------------- numbers */

static bool number_taken(const struct dump_ttys *ttys, uint32_t number)
{
	for (const struct dump_tty *t = ttys->first; t; t = t->next)
		if (tty_pair_of(t->info.id) == number)
			return true;
	return false;
}

static struct dump_tty *find_end(const struct dump_ttys *ttys, enum tty_what what, uint64_t dev,
				 uint32_t index)
{
	for (struct dump_tty *t = ttys->first; t; t = t->next)
		if (t->what == what && !t->hung && !t->outside && t->dev == dev &&
		    t->index == index)
			return t;
	return NULL;
}

static int choose_number(struct dump_ttys *ttys, const struct dump_tty *tty, uint32_t *ret,
			 struct error *err)
{
	if (tty->other) {
		*ret = tty_pair_of(tty->other->info.id);
		return 0;
	}
	if (tty->hung) {
		*ret = ttys->next_hung++;
		return 0;
	}
	*ret = tty->outside ? ttys->next_outside : tty->what == TTY_OWN ? NUMBER_OWN : tty->index;
	if (tty->outside && ttys->next_outside++ < NUMBER_OUTSIDE + N_OUTSIDE)
		return 0;
	if (!tty->outside && (tty->what == TTY_OWN || tty->index <= INDEX_MAX) &&
	    !number_taken(ttys, *ret))
		return 0;
	*ret = ttys->next_number++;
	return *ret <= NUMBER_MAX
		       ? 0
		       : err_set(err, -EOPNOTSUPP,
				 "%s: terminal '%s': the image format has no number left for it",
				 tty->where, tty->link);
}

/* ------------------------------------------------------------------ settings */

static int set_termios(struct dump *dump, const struct tty_termios *t, TermiosEntry *e,
		       struct error *err)
{
	termios_entry__init(e);
	e->c_iflag = t->iflag;
	e->c_oflag = t->oflag;
	e->c_cflag = t->cflag;
	e->c_lflag = t->lflag;
	e->c_line = t->line;
	e->c_ispeed = t->ispeed;
	e->c_ospeed = t->ospeed;
	e->n_c_cc = TTY_N_CC;
	e->c_cc = arena_new_array(&dump->arena, uint32_t, TTY_N_CC);
	if (!e->c_cc)
		return err_oom(err);
	for (size_t i = 0; i < TTY_N_CC; i++)
		e->c_cc[i] = t->cc[i];
	return 0;
}

/* A terminal that was hung up answers nothing but that (EIO). */
int dump_tty_look(struct dump *dump, const struct dump_fd *fd, struct dump_tty *tty,
		  struct error *err)
{
	struct tty_termios locked = { 0 };
	struct winsize size;
	int discipline = 0;
	int exclusive = 0;
	int r;

	if (ioctl(fd->fd, TCGETS2, &tty->set) < 0) {
		if (errno != EIO)
			return err_sys(err, "%s: settings of terminal '%s'", fd->look.where,
				       fd->look.link);
		tty->hung = true;
		return 0;
	}
	if (ioctl(fd->fd, TIOCGLCKTRMIOS, &locked) < 0 || ioctl(fd->fd, TIOCGWINSZ, &size) < 0 ||
	    ioctl(fd->fd, TIOCGETD, &discipline) < 0 || ioctl(fd->fd, TIOCGEXCL, &exclusive) < 0)
		return err_sys(err, "%s: settings of terminal '%s'", fd->look.where, fd->look.link);
	if (discipline != N_TTY)
		return err_set(err, -EOPNOTSUPP,
			       "%s: terminal '%s' has line discipline %d: it can't be saved",
			       fd->look.where, fd->look.link, discipline);
	tty->info.exclusive = exclusive;
	winsize_entry__init(&tty->size);
	tty->size.ws_row = size.ws_row;
	tty->size.ws_col = size.ws_col;
	tty->size.ws_xpixel = size.ws_xpixel;
	tty->size.ws_ypixel = size.ws_ypixel;
	r = set_termios(dump, &tty->set, &tty->termios, err);
	return r < 0 ? r : set_termios(dump, &locked, &tty->locked, err);
}

static int look_master(const struct dump_fd *fd, struct dump_tty *tty, struct error *err)
{
	int locked = 0;
	int packets = 0;

	if (ioctl(fd->fd, TIOCGPTLCK, &locked) < 0 || ioctl(fd->fd, TIOCGPKT, &packets) < 0)
		return err_sys(err, "%s: settings of terminal '%s'", fd->look.where, fd->look.link);
	tty->info.locked = locked;
	tty->info.packet_mode = packets;
	/* A master speaks for its slave; it has no session if nobody's terminal it is. */
	if (ioctl(fd->fd, TIOCGSID, &tty->sid) < 0)
		tty->sid = 0;
	if (!tty->sid || ioctl(fd->fd, TIOCGPGRP, &tty->pgrp) < 0)
		tty->pgrp = 0;
	return 0;
}

int dump_tty_add(struct dump *dump, const struct dump_fd *fd, struct dump_tty *tty,
		 struct error *err)
{
	struct dump_ttys *ttys = dump->ttys;
	uint32_t number = 0;
	int r;

	r = choose_number(ttys, tty, &number, err);
	if (r < 0)
		return r;
	tty->fd = fcntl(fd->fd, F_DUPFD_CLOEXEC, 0);
	if (tty->fd < 0)
		return err_sys(err, "%s: keep a copy", fd->look.where);
	tty->info.id = number << 1 | (tty->what == TTY_MASTER && !tty->outside);
	tty->info.rdev = (uint32_t)fd->look.st.st_rdev;
	tty->info.has_dev = true;
	tty->info.dev = (uint32_t)fd->look.st.st_dev;
	tty->info.has_uid = true;
	tty->info.uid = fd->look.st.st_uid;
	tty->info.has_gid = true;
	tty->info.gid = fd->look.st.st_gid;
	if (tty->other)
		tty->other->other = tty;
	tty->next = ttys->first;
	ttys->first = tty;
	return 0;
}

struct dump_tty *dump_tty_new(struct dump *dump, const struct dump_fd *fd, enum tty_what what)
{
	struct dump_tty *tty = arena_new(&dump->arena, struct dump_tty);

	if (!tty)
		return NULL;
	tty->where = fd->look.where;
	tty->link = fd->look.link;
	tty->what = what;
	tty->fd = -EBADF;
	tty_info_entry__init(&tty->info);
	tty->info.type = what == TTY_OWN ? TTY_TYPE__CTTY : TTY_TYPE__PTY;
	return tty;
}

/* -------------------------------------------------------------------- places */

/*
 * The devpts instance that a master belongs to: its own file system, or what
 * the kernel finds as "pts" beside the ptmx that was opened.
 */
static int master_devpts(struct dump *dump, const struct dump_fd *fd, uint64_t *ret,
			 struct error *err)
{
	cleanup_fd int pts = -EBADF;
	struct stat st;
	const char *link = fd->look.link;
	const char *slash = strrchr(link, '/');
	char *path;

	*ret = fd->look.st.st_dev;
	if (fd->look.fs_type == DEVPTS_SUPER_MAGIC)
		return 0;
	path = arena_printf(&dump->arena, "%.*s/pts", slash ? (int)(slash - link) : 0, link);
	if (!path)
		return err_oom(err);
	pts = dump_open_path_on(dump, fd->mnt_id, path, O_PATH | O_DIRECTORY, err);
	if (pts < 0)
		return err_wrap(err, pts, "%s: terminal '%s'", fd->look.where, fd->look.link);
	if (fstat(pts, &st) < 0)
		return err_sys(err, "%s: stat '%s'", fd->look.where, path);
	*ret = st.st_dev;
	return 0;
}

static int find_index(struct dump *dump, const struct dump_fd *fd, enum tty_what what,
		      uint64_t *ret_dev, uint32_t *ret_index, struct error *err)
{
	unsigned int index = 0;

	*ret_dev = fd->look.st.st_dev;
	*ret_index = minor(fd->look.st.st_rdev);
	if (what == TTY_SLAVE)
		return 0;
	if (ioctl(fd->fd, TIOCGPTN, &index) < 0)
		return err_sys(err, "%s: number of terminal '%s'", fd->look.where, fd->look.link);
	*ret_index = index;
	return master_devpts(dump, fd, ret_dev, err);
}

static int pty_of(struct dump *dump, const struct dump_fd *fd, enum tty_what what,
		  struct dump_tty **ret, struct error *err)
{
	struct dump_tty *tty = dump_tty_new(dump, fd, what);
	struct dump_tty *known;
	int r;

	if (!tty)
		return err_oom(err);
	r = find_index(dump, fd, what, &tty->dev, &tty->index, err);
	if (r == 0)
		r = dump_tty_look(dump, fd, tty, err);
	if (r < 0)
		return r;
	known = tty->hung ? NULL : find_end(dump->ttys, what, tty->dev, tty->index);
	if (known) {
		*ret = known;
		return 0;
	}
	if (what == TTY_MASTER)
		r = look_master(fd, tty, err);
	if (r < 0)
		return r;
	tty_pty_entry__init(&tty->pty);
	tty->pty.index = tty->index;
	tty->info.pty = &tty->pty;
	if (!tty->hung)
		tty->other = find_end(dump->ttys, what == TTY_MASTER ? TTY_SLAVE : TTY_MASTER,
				      tty->dev, tty->index);
	*ret = tty;
	return dump_tty_add(dump, fd, tty, err);
}

/* /dev/tty: the terminal of the holder's session, or of one it was inherited from. */
static int own_of(struct dump *dump, const struct dump_fd *fd, struct dump_tty **ret,
		  struct error *err)
{
	const struct dump_task *member = NULL;
	struct dump_tty *tty = dump_tty_new(dump, fd, TTY_OWN);
	unsigned int device = 0;
	int r;

	if (!tty)
		return err_oom(err);
	r = dump_tty_look(dump, fd, tty, err);
	if (r < 0)
		return r;
	if (tty->hung) {
		tty->info.type = TTY_TYPE__PTY;
		tty_pty_entry__init(&tty->pty);
		tty->info.pty = &tty->pty;
		*ret = tty;
		return dump_tty_add(dump, fd, tty, err);
	}
	if (ioctl(fd->fd, TIOCGDEV, &device) < 0)
		return err_sys(err, "%s: device of '%s'", fd->look.where, fd->look.link);
	if (fd->task && fd->task->stat.tty_nr == (int)device)
		member = fd->task;
	for (size_t i = 0; i < dump->n_tasks && !member; i++)
		if (dump->tasks[i].stat.tty_nr == (int)device)
			member = &dump->tasks[i];
	if (!member)
		return err_set(err, -EOPNOTSUPP,
			       "%s: '%s' is the terminal of a session that is not in the tree",
			       fd->look.where, fd->look.link);
	tty->sid = member->stat.session;
	tty->pgrp = member->stat.tpgid;
	for (struct dump_tty *t = dump->ttys->first; t; t = t->next) {
		if (t->what == TTY_OWN && !t->hung && t->sid == tty->sid) {
			*ret = t;
			return 0;
		}
	}
	*ret = tty;
	return dump_tty_add(dump, fd, tty, err);
}

/* ------------------------------------------------------------------- records */

static int write_file(struct dump *dump, const struct dump_fd *fd, const struct dump_tty *tty,
		      struct error *err)
{
	TtyFileEntry entry = TTY_FILE_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	struct dump_fd path = *fd;
	char key[TTY_KEY_MAX];
	int r;

	entry.id = fd->id;
	entry.tty_info_id = tty->info.id;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	if (!tty->outside && dump->ns[DUMP_NS_MNT].other && !mnt_find(dump, fd->mnt_id, NULL)) {
		r = err_set(err, -EOPNOTSUPP,
			    "%s: terminal '%s' lies outside of the container's mounts",
			    fd->look.where, fd->look.link);
		err_hint(err,
			 "--external '%s' keeps it outside; give it back on restore with "
			 "--inherit-fd 'fd[N]:%s'",
			 tty_key(tty->info.rdev, tty->info.dev, key), key);
		return r;
	}
	if (!tty->outside) {
		/* The path is a record of its own. */
		path.id = file_ids_next(dump->file_ids);
		path.pos = 0;
		r = file_dump(dump, &path, err);
		if (r < 0)
			return r;
		entry.has_regf_id = true;
		entry.regf_id = path.id;
	}
	file.type = FD_TYPES__TTY;
	file.id = fd->id;
	file.tty = &entry;
	return image_write(&dump->files, &file.base, err);
}

static int outside_of(struct dump *dump, const struct dump_fd *fd, struct dump_tty **ret,
		      struct error *err)
{
	struct dump_tty *tty;
	int r;

	for (tty = dump->ttys->first; tty; tty = tty->next) {
		if (tty->outside && tty->info.rdev == (uint32_t)fd->look.st.st_rdev &&
		    tty->info.dev == (uint32_t)fd->look.st.st_dev) {
			*ret = tty;
			return 0;
		}
	}
	tty = dump_tty_new(dump, fd, tty_what(fd->look.st.st_rdev));
	if (!tty)
		return err_oom(err);
	tty->outside = true;
	tty->info.type = TTY_TYPE__EXT_TTY;
	tty->index = minor(fd->look.st.st_rdev);
	r = dump_tty_look(dump, fd, tty, err);
	if (r < 0)
		return r;
	if (tty->hung)
		return err_set(err, -EOPNOTSUPP, "%s: external terminal '%s' was hung up",
			       fd->look.where, fd->look.link);
	*ret = tty;
	return dump_tty_add(dump, fd, tty, err);
}

static bool is_outside(const struct dump *dump, const struct dump_fd *fd)
{
	char key[TTY_KEY_MAX];
	char *name = strchr(tty_key(fd->look.st.st_rdev, fd->look.st.st_dev, key), '[') + 1;

	name[strlen(name) - 1] = '\0';
	return externals_find(&dump->externals, "tty", name) != NULL;
}

int tty_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	enum tty_what what = tty_what(fd->look.st.st_rdev);
	struct dump_tty *tty = NULL;
	int r;

	if (!ttys_of(dump))
		return err_oom(err);
	if (fd->flags & O_PATH)
		return err_set(err, -EOPNOTSUPP,
			       "%s: '%s' was opened with O_PATH: this version can't save that of a "
			       "terminal",
			       fd->look.where, fd->look.link);
	if (is_outside(dump, fd))
		r = outside_of(dump, fd, &tty, err);
	else if (what == TTY_OWN)
		r = own_of(dump, fd, &tty, err);
	else
		r = pty_of(dump, fd, what, &tty, err);
	return r < 0 ? r : write_file(dump, fd, tty, err);
}

void tty_done(struct dump *dump)
{
	if (!dump->ttys)
		return;
	for (struct dump_tty *t = dump->ttys->first; t; t = t->next) {
		cleanup_fd_p(&t->fd);
		free(t->queue);
	}
	image_done(&dump->ttys->data);
}
