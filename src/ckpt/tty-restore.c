#include "ckpt/tty-restore.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/file-restore.h"
#include "ckpt/mount-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#define INDEX_MAX 4096

/* ------------------------------------------------------------------- loading */

static bool is_end(const TtyInfoEntry *e)
{
	return (e->type == TTY_TYPE__PTY && e->termios) || e->type == TTY_TYPE__EXT_TTY;
}

static struct rpty *find_number(const struct rttys *ttys, uint32_t number)
{
	for (size_t i = 0; i < ttys->n_ptys; i++)
		if (ttys->ptys[i].number == number)
			return &ttys->ptys[i];
	return NULL;
}

static int check_info(const TtyInfoEntry *e, struct error *err)
{
	if (e->type == TTY_TYPE__PTY && (!e->pty || e->pty->index > INDEX_MAX))
		return err_set(err, -EBADMSG,
			       "tty-info.img: terminal %u: no number, or a wrong one", e->id);
	if ((e->termios && e->termios->n_c_cc < TTY_N_CC) ||
	    (e->termios_locked && e->termios_locked->n_c_cc < TTY_N_CC))
		return err_set(err, -EBADMSG, "tty-info.img: terminal %u: %zu control characters",
			       e->id, e->termios ? e->termios->n_c_cc : 0);
	return 0;
}

static int by_index(const void *a, const void *b)
{
	const struct rpty *x = a;
	const struct rpty *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int add_infos(struct rttys *ttys, struct error *err)
{
	for (size_t i = 0; i < ttys->n_infos; i++) {
		const TtyInfoEntry *e = ttys->infos[i];
		struct rpty *pty = find_number(ttys, tty_pair_of(e->id));
		int ret = check_info(e, err);

		if (ret < 0)
			return ret;
		if (!is_end(e))
			continue;
		if (!pty) {
			pty = &ttys->ptys[ttys->n_ptys++];
			*pty = (struct rpty){ .number = tty_pair_of(e->id),
					      .staging = -1,
					      .slave_staging = -1 };
		}
		if (e->type == TTY_TYPE__EXT_TTY)
			pty->outside = e;
		else if (tty_what(e->rdev) == TTY_MASTER)
			pty->master = e;
		else
			pty->slave = e;
		pty->index = e->pty ? e->pty->index : 0;
	}
	if (ttys->n_ptys)
		qsort(ttys->ptys, ttys->n_ptys, sizeof(*ttys->ptys), by_index);
	return 0;
}

int ttys_load(struct restore *r, struct error *err)
{
	struct rttys *ttys;
	int ret;

	if (r->ttys)
		return 0;
	ttys = arena_new(&r->arena, struct rttys);
	if (!ttys)
		return err_oom(err);
	ret = image_read_all(r->opts->images_dir, IMG_KIND_TTY_INFO, 0, &r->arena, &ttys->infos,
			     &ttys->n_infos, err);
	if (ret == 0)
		ret = image_read_all(r->opts->images_dir, IMG_KIND_TTY_DATA, 0, &r->arena,
				     &ttys->data, &ttys->n_data, err);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	ttys->ptys = arena_new_array(&r->arena, struct rpty, ttys->n_infos + 1);
	ttys->owns = arena_new_array(&r->arena, struct rown, r->n_files + 1);
	if (!ttys->ptys || !ttys->owns)
		return err_oom(err);
	r->ttys = ttys;
	return add_infos(ttys, err);
}

/* ------------------------------------------------------------------ settings */

struct tty_termios tty_termios_of(const TermiosEntry *e)
{
	struct tty_termios t = {
		.iflag = e->c_iflag,
		.oflag = e->c_oflag,
		.cflag = e->c_cflag,
		.lflag = e->c_lflag,
		.line = (uint8_t)e->c_line,
		.ispeed = e->c_ispeed,
		.ospeed = e->c_ospeed,
	};

	for (size_t i = 0; i < TTY_N_CC; i++)
		t.cc[i] = (uint8_t)e->c_cc[i];
	return t;
}

void tty_tape_termios(struct restore *r, struct tape *tape, struct tape_arg fd,
		      const struct tty_termios *t, uint32_t index)
{
	/* CRIU's images have no speeds beside those in c_cflag. */
	tape_call(tape, SYS_ioctl,
		  TAPE_ARGS(fd, tape_imm(t->ospeed ? TCSETS2 : TCSETS),
			    tape_at(area_add(&r->area, t, sizeof(*t)))),
		  "mode of terminal %u", index);
}

static bool any_locked(const struct tty_termios *t)
{
	static const struct tty_termios none;

	return memcmp(t, &none, sizeof(none)) != 0;
}

/* Settings belong to the pair, whichever end is told. */
static void tape_settings(struct restore *r, struct tape *tape, struct rpty *pty)
{
	const TtyInfoEntry *e = pty->slave ? pty->slave : pty->master ? pty->master : pty->outside;
	struct tape_arg fd = tape_imm((uint64_t)pty->staging);
	struct tty_termios t;

	if (e->termios) {
		t = tty_termios_of(e->termios);
		tty_tape_termios(r, tape, fd, &t, pty->index);
	}
	if (e->termios_locked) {
		t = tty_termios_of(e->termios_locked);
		if (any_locked(&t))
			tape_call(tape, SYS_ioctl,
				  TAPE_ARGS(fd, tape_imm(TIOCSLCKTRMIOS),
					    tape_at(area_add(&r->area, &t, sizeof(t)))),
				  "locked modes of terminal %u", pty->index);
	}
	if (e->winsize && !pty->borrowed) {
		struct winsize size = {
			.ws_row = (unsigned short)e->winsize->ws_row,
			.ws_col = (unsigned short)e->winsize->ws_col,
			.ws_xpixel = (unsigned short)e->winsize->ws_xpixel,
			.ws_ypixel = (unsigned short)e->winsize->ws_ypixel,
		};

		tape_call(tape, SYS_ioctl,
			  TAPE_ARGS(fd, tape_imm(TIOCSWINSZ),
				    tape_at(area_add(&r->area, &size, sizeof(size)))),
			  "size of terminal %u", pty->index);
	}
}

static void tape_unlock(struct restore *r, struct tape *tape, const struct rpty *pty)
{
	int32_t no = 0;

	tape_call(tape, SYS_ioctl,
		  TAPE_ARGS(tape_imm((uint64_t)pty->staging), tape_imm(TIOCSPTLCK),
			    tape_at(area_add(&r->area, &no, sizeof(no)))),
		  "unlocking terminal %u", pty->index);
}

/* ------------------------------------------------------------------- masters */

/* How its one description was opened. */
static uint32_t master_flags(const struct restore *r, const struct rpty *pty)
{
	for (size_t i = 0; pty->master && i < r->n_files; i++) {
		const FileEntry *e = r->files[i].entry;

		if (e->type == FD_TYPES__TTY && e->tty && e->tty->tty_info_id == pty->master->id)
			return (e->tty->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC)) |
			       O_NOCTTY | O_CLOEXEC;
	}
	return O_RDWR | O_NOCTTY | O_CLOEXEC;
}

/* Is its master to be made? A console's without a place to send it is not. */
static bool is_ours(const struct restore *r, const struct rpty *pty)
{
	return !pty->outside && (pty->master || r->opts->console_socket >= 0);
}

/* Device numbers: as stat(2) has them in 32 bits, and as mountinfo does. */
static bool same_device(uint32_t stat_dev, uint32_t root_dev)
{
	uint32_t minor = (stat_dev & 0xff) | (stat_dev >> 12 & 0xfff00);

	return (stat_dev >> 8 & 0xfff) == root_dev >> 20 && minor == (root_dev & 0xfffff);
}

static bool is_of(const struct rpty *pty, uint32_t root_dev, bool first)
{
	const TtyInfoEntry *e = pty->slave ? pty->slave : pty->master;

	/* A master may have been opened through a ptmx that lies elsewhere. */
	if (e->has_dev && same_device(e->dev, root_dev))
		return true;
	return first && (!e->has_dev || e == pty->master || tty_what(e->rdev) != TTY_SLAVE);
}

static int tape_master(struct restore *r, struct tape *tape, int dir, struct rpty *pty, uint32_t fd,
		       struct error *err)
{
	char name[16];

	pty->staging = fd_stage(r, err);
	if (pty->staging < 0)
		return pty->staging;
	/* The number is the right one if that name is there now. */
	(void)snprintf(name, sizeof(name), "%u", pty->index); /* always fits */
	tape_call(tape, SYS_faccessat,
		  TAPE_ARGS(tape_imm((uint64_t)dir), tape_at(area_add_string(&r->area, name)),
			    tape_imm(F_OK)),
		  "it is terminal %u", pty->index);
	fd_tape_stage(tape, fd, pty->staging);
	tape_unlock(r, tape, pty);
	tape_settings(r, tape, pty);
	return 0;
}

/* The kernel gives the lowest number that is free: those between are taken for a moment. */
int ttys_tape_devpts(struct restore *r, struct tape *tape, int dir, uint32_t root_dev,
		     struct error *err)
{
	cleanup_free uint32_t *between = NULL;
	uint64_t ptmx = area_add_string(&r->area, "ptmx");
	uint32_t next = 0;
	size_t n = 0;
	bool first;
	int ret = ttys_load(r, err);

	if (ret < 0)
		return ret;
	first = !r->ttys->devpts;
	r->ttys->devpts = true;
	between = calloc(INDEX_MAX + 1, sizeof(*between));
	if (!between)
		return err_oom(err);
	for (size_t i = 0; i < r->ttys->n_ptys; i++) {
		struct rpty *pty = &r->ttys->ptys[i];

		if (!is_ours(r, pty) || pty->staging >= 0 || !is_of(pty, root_dev, first))
			continue;
		if (pty->index < next)
			return err_set(err, -EBADMSG, "tty-info.img: two terminals with number %u",
				       pty->index);
		for (;; next++) {
			uint32_t flags = next == pty->index ? master_flags(r, pty)
							    : (O_RDWR | O_NOCTTY | O_CLOEXEC);
			uint32_t fd = tape_call(
				tape, SYS_openat,
				TAPE_ARGS(tape_imm((uint64_t)dir), tape_at(ptmx), tape_imm(flags)),
				"making terminal %u", next);

			if (next == pty->index) {
				ret = tape_master(r, tape, dir, pty, fd, err);
				break;
			}
			between[n++] = fd;
		}
		next++;
		if (ret < 0)
			return ret;
	}
	for (size_t i = 0; i < n; i++)
		tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(between[i])),
			  "closing a terminal that was in between");
	return 0;
}

/* M does the same in a devpts that others use, too. */
static int make_here(struct restore *r, struct rpty *pty, struct error *err)
{
	cleanup_free int *between = calloc(INDEX_MAX + 1, sizeof(*between));
	size_t n = 0;
	int ret = 0;
	int fd = -1;

	if (!between)
		return err_oom(err);
	while (ret == 0) {
		unsigned int index = 0;

		fd = open("/dev/ptmx", (int)master_flags(r, pty));
		if (fd < 0) {
			ret = err_sys(err, "open '/dev/ptmx'");
			break;
		}
		if (ioctl(fd, TIOCGPTN, &index) < 0)
			ret = err_sys(err, "number of a new terminal");
		else if (index == pty->index)
			break;
		else if (index > pty->index || n == INDEX_MAX)
			ret = err_set(err, -EEXIST, "terminal '/dev/pts/%u' is in use", pty->index);
		between[n++] = fd;
		fd = -1;
	}
	for (size_t i = 0; i < n; i++)
		(void)close(between[i]); /* nobody has seen them */
	if (ret < 0)
		return ret;
	pty->staging = fd_stage_consume(r, fd, err);
	if (pty->staging < 0)
		return pty->staging;
	tape_unlock(r, r->root->build, pty);
	tape_settings(r, r->root->build, pty);
	return 0;
}

/* ------------------------------------------------- the caller's own terminal */

static int own_terminal(struct error *err)
{
	int ret;

	for (int fd = 0; fd <= 2; fd++)
		if (isatty(fd))
			return fd;
	ret = err_set(err, -ENOTTY,
		      "a terminal is to be handed on to the tree, but none of our "
		      "standard streams is one");
	err_hint(err, "restore it from a shell in a terminal");
	return ret;
}

static int borrow(struct restore *r, struct rpty *pty, struct error *err)
{
	int fd;

	if (!r->opts->shell_job) {
		fd = err_set(err, -EINVAL,
			     "terminal '/dev/pts/%u' had its other end outside of the tree",
			     pty->index);
		err_hint(err, "--shell-job puts your terminal in its place; a container's needs "
			      "a console socket");
		return fd;
	}
	fd = own_terminal(err);
	if (fd < 0)
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "copy the descriptor of our terminal");
	pty->staging = fd_stage_consume(r, fd, err);
	if (pty->staging < 0)
		return pty->staging;
	pty->slave_staging = pty->staging;
	pty->borrowed = true;
	tape_settings(r, r->root->build, pty);
	return 0;
}

/* The caller's terminal, opened anew: a description of the tree's own. */
static int reopen(struct restore *r, struct rfile *file, struct rpty *pty, struct error *err)
{
	char path[40];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", pty->staging); /* always fits */
	fd = open(path, (int)file->entry->tty->flags | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open our own terminal");
	file->staging = fd_stage_consume(r, fd, err);
	return file->staging < 0 ? file->staging : 0;
}

int ttys_make(struct restore *r, struct rpty *pty, struct error *err)
{
	int ret;

	if (pty->staging >= 0 || pty->outside)
		return 0;
	if (!is_ours(r, pty))
		return borrow(r, pty, err);
	if (!r->new_mnt_ns)
		return make_here(r, pty, err);
	ret = err_set(err, -EOPNOTSUPP,
		      "terminal %u was in a devpts that the tree has from outside", pty->index);
	err_hint(err, "only terminals of the tree's own /dev/pts can be made again");
	return ret;
}

/* --------------------------------------------------------------------- files */

static const TtyInfoEntry *find_info(const struct restore *r, uint32_t id)
{
	for (size_t i = 0; i < r->ttys->n_infos; i++)
		if (r->ttys->infos[i]->id == id)
			return r->ttys->infos[i];
	return NULL;
}

static const RegFileEntry *path_record(const struct restore *r, const TtyFileEntry *e)
{
	const struct rfile *file = files_find(r, e->has_regf_id ? e->regf_id : e->id);

	return file && file->entry->type == FD_TYPES__REG ? file->entry->reg : NULL;
}

static int slave_tape(struct restore *r, struct tape *tape, struct rfile *file, struct rpty *pty,
		      struct error *err)
{
	const TtyFileEntry *e = file->entry->tty;
	const RegFileEntry *reg = path_record(r, e);
	const char *path = reg ? reg->name : arena_printf(&r->arena, "/dev/pts/%u", pty->index);
	struct tape_arg dir = tape_imm((uint64_t)AT_FDCWD);
	const char *name = path;
	uint32_t slot;
	int ret;

	if (pty->borrowed)
		return reopen(r, file, pty, err);
	if (!path)
		return err_oom(err);
	if (reg) {
		ret = mount_place(r, reg->has_mnt_id, reg->mnt_id, path, &dir, &name, err);
		if (ret < 0)
			return ret;
	}
	slot = tape_call(tape, SYS_openat,
			 TAPE_ARGS(dir, tape_at(area_add_string(&r->area, name)),
				   tape_imm((e->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC)) |
					    O_NOCTTY)),
			 "open '%s'", path);
	if (pty->slave_staging < 0 && pty->slave->has_uid && pty->slave->has_gid)
		tape_call(tape, SYS_fchown,
			  TAPE_ARGS(tape_slot(slot), tape_imm(pty->slave->uid),
				    tape_imm(pty->slave->gid)),
			  "owner of '%s'", path);
	if (pty->slave_staging < 0 && reg && reg->has_mode)
		tape_call(tape, SYS_fchmod, TAPE_ARGS(tape_slot(slot), tape_imm(reg->mode & 07777)),
			  "mode of '%s'", path);
	ret = rfile_stage(r, tape, file, slot, err);
	if (ret >= 0)
		pty->slave_staging = file->staging;
	return ret;
}

/* Its master is gone: every use says so. Made anew with one that goes at once. */
static int hung_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	uint32_t flags = file->entry->tty->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC);
	int32_t no = 0;
	uint32_t master, slave;
	int ret;

	master = tape_call(tape, SYS_openat,
			   TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD),
				     tape_at(area_add_string(&r->area, "/dev/ptmx")),
				     tape_imm(O_RDWR | O_NOCTTY)),
			   "a terminal that will be hung up");
	tape_call(tape, SYS_ioctl,
		  TAPE_ARGS(tape_slot(master), tape_imm(TIOCSPTLCK),
			    tape_at(area_add(&r->area, &no, sizeof(no)))),
		  "unlocking it");
	slave = tape_call(
		tape, SYS_ioctl,
		TAPE_ARGS(tape_slot(master), tape_imm(TIOCGPTPEER), tape_imm(flags | O_NOCTTY)),
		"opening it");
	ret = rfile_stage(r, tape, file, slave, err);
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(master)), "hanging it up");
	return ret;
}

static int outside_tape(struct restore *r, struct tape *tape, struct rfile *file, struct rpty *pty,
			struct error *err)
{
	char key[TTY_KEY_MAX];
	int ret;

	(void)tty_key(pty->outside->rdev, pty->outside->dev, key);
	ret = inherit_file(r, file, key, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return err_set(err, -EINVAL,
			       "external terminal: no descriptor was handed over for it "
			       "(--inherit-fd 'fd[N]:%s')",
			       key);
	if (pty->staging >= 0)
		return 0;
	pty->staging = file->staging;
	tape_settings(r, tape, pty);
	return 0;
}

int tty_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const TtyFileEntry *e = file->entry->tty;
	const TtyInfoEntry *info;
	struct rpty *pty;
	int ret = ttys_load(r, err);

	if (ret < 0)
		return ret;
	if (!e)
		return err_set(err, -EBADMSG, "files.img: terminal %u has no record",
			       file->entry->id);
	info = find_info(r, e->tty_info_id);
	if (!info)
		return err_set(err, -EBADMSG, "tty-info.img: no terminal %u", e->tty_info_id);
	if (info->type == TTY_TYPE__CTTY)
		return tty_own_tape(r, tape, file, info, err);
	if (info->type == TTY_TYPE__PTY && !info->termios)
		return hung_tape(r, tape, file, err);
	pty = find_number(r->ttys, tty_pair_of(info->id));
	if (!pty || !is_end(info))
		return err_set(err, -EOPNOTSUPP,
			       "a physical console or serial line can't be rebuilt");
	ret = ttys_make(r, pty, err);
	if (ret < 0)
		return ret;
	if (pty->outside)
		return outside_tape(r, tape, file, pty, err);
	if (info != pty->master)
		return slave_tape(r, tape, file, pty, err);
	file->staging = pty->staging;
	return 0;
}

int tty_tape_late(struct restore *r, struct rtask *t, uint32_t number, struct rfile *file,
		  struct error *err)
{
	const TtyInfoEntry *info = find_info(r, file->entry->tty->tty_info_id);
	int32_t yes = 1;

	(void)err; /* nothing can fail while planning */
	/* A locked one can't be opened any more: so this comes after all that do. */
	if (info->type == TTY_TYPE__PTY && tty_what(info->rdev) == TTY_MASTER && info->locked)
		tape_call(t->become, SYS_ioctl,
			  TAPE_ARGS(tape_imm(number), tape_imm(TIOCSPTLCK),
				    tape_at(area_add(&r->area, &yes, sizeof(yes)))),
			  "locking terminal %u", info->pty->index);
	return 0;
}
