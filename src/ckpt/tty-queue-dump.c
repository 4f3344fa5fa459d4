/*
 * tty-queue: what was written into a terminal and not yet read.
 *
 * The kernel has no way to look into that queue without taking it out. So it is
 * done last, when everything else is saved and nothing but the death of the
 * tree is to come; if it fails, what was taken is put back (TIOCSTI, with a
 * line discipline that changes nothing). A tree that goes on living keeps its
 * queues, and the images do without them.
 *
 * A slave's queue is typed input. In canonical mode it is read line by line
 * first, so that the ends of lines are known; a line that ends with end-of-file
 * instead gets that character again. Then the mode is changed, which makes the
 * unfinished line readable. A master's queue is the output of a slave; where
 * the master is outside, it is its owner's.
 */
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/tty-dump-priv.h"

#define QUEUE_MAX ((size_t)1 << 20)
#define CHUNK 4096

static bool is_readable(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	return poll(&look, 1, 0) == 1 && (look.revents & POLLIN);
}

static int append(struct dump_tty *tty, const char *data, size_t len, struct error *err)
{
	char *more;

	if (len > QUEUE_MAX - tty->queue_len)
		return err_set(err, -E2BIG, "%s: terminal '%s' holds more than %zu bytes",
			       tty->where, tty->link, QUEUE_MAX);
	more = realloc(tty->queue, tty->queue_len + len);
	if (!more)
		return err_oom(err);
	memcpy(more + tty->queue_len, data, len);
	tty->queue = more;
	tty->queue_len += len;
	return 0;
}

/* The descriptor does not block, or is known to have something. */
static int take(struct dump_tty *tty, int fd, bool lines, struct error *err)
{
	const char eof = (char)tty->set.cc[VEOF];
	char data[CHUNK];

	while (is_readable(fd)) {
		ssize_t n = read(fd, data, sizeof(data));
		int r;

		if (n < 0 && (errno == EAGAIN || errno == EIO))
			return 0;
		if (n < 0)
			return err_sys(err, "%s: read what waits in terminal '%s'", tty->where,
				       tty->link);
		if (n == 0 && !lines)
			return 0;
		r = append(tty, data, (size_t)n, err);
		if (r == 0 && lines &&
		    (n == 0 || (data[n - 1] != '\n' && data[n - 1] != (char)tty->set.cc[VEOL] &&
				data[n - 1] != (char)tty->set.cc[VEOL2])))
			r = append(tty, &eof, 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_master(struct dump_tty *tty, struct error *err)
{
	const int off = 0;

	/* In packet mode a byte of the kernel's would stand before the data. */
	if (tty->info.packet_mode && ioctl(tty->fd, TIOCPKT, &off) < 0)
		return err_sys(err, "%s: packet mode of terminal '%s'", tty->where, tty->link);
	return take(tty, tty->fd, false, err);
}

/* A mode in which what comes is stored, and nothing else happens. */
static struct tty_termios plain_mode(const struct tty_termios *set)
{
	struct tty_termios plain = *set;

	plain.iflag = 0;
	plain.oflag = 0;
	plain.lflag = set->lflag & ICANON;
	memset(plain.cc, 0, sizeof(plain.cc)); /* no character means anything */
	plain.cc[VEOF] = set->cc[VEOF];
	plain.cc[VEOL] = set->cc[VEOL];
	plain.cc[VEOL2] = set->cc[VEOL2];
	return plain;
}

/* Once more: not to block is a flag of the description, and that one is the tree's. */
static int open_again(const struct dump_tty *tty, struct error *err)
{
	const bool locked = tty->other && tty->other->info.locked;
	const int no = 0;
	const int yes = 1;
	char path[40];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", tty->fd); /* always fits */
	if (locked && ioctl(tty->other->fd, TIOCSPTLCK, &no) < 0)
		return err_sys(err, "%s: unlock terminal '%s'", tty->where, tty->link);
	r = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (r < 0)
		r = err_sys(err, "%s: open terminal '%s'", tty->where, tty->link);
	if (locked)
		(void)ioctl(tty->other->fd, TIOCSPTLCK, &yes); /* as it was */
	return r;
}

static int take_slave(struct dump_tty *tty, struct error *err)
{
	struct tty_termios raw = tty->set;
	cleanup_fd int own = -EBADF;
	int r;

	own = open_again(tty, err);
	if (own < 0)
		return own;
	if (!(tty->set.lflag & ICANON))
		return take(tty, own, false, err);
	r = take(tty, own, true, err);
	if (r < 0)
		return r;
	raw.lflag &= (uint32_t)~ICANON;
	raw.cc[VMIN] = 1;
	raw.cc[VTIME] = 0;
	if (ioctl(own, TCSETS2, &raw) < 0)
		return err_sys(err, "%s: mode of terminal '%s'", tty->where, tty->link);
	r = take(tty, own, false, err);
	if (ioctl(own, TCSETS2, &tty->set) < 0 && r == 0)
		r = err_sys(err, "%s: mode of terminal '%s'", tty->where, tty->link);
	return r;
}

static int write_data(struct dump *dump, const struct dump_tty *tty, struct error *err)
{
	TtyDataEntry entry = TTY_DATA_ENTRY__INIT;
	int r = 0;

	if (!tty->queue_len)
		return 0;
	entry.tty_id = tty->info.id;
	entry.data.data = (uint8_t *)tty->queue;
	entry.data.len = tty->queue_len;
	if (dump->ttys->data.fd < 0)
		r = dump_image_create(dump, &dump->ttys->data, IMG_KIND_TTY_DATA, 0, err);
	return r < 0 ? r : image_write(&dump->ttys->data, &entry.base, err);
}

/* Is its queue ours to keep? An end that some process outside reads is not. */
static bool is_ours(const struct dump_tty *tty)
{
	if (tty->hung || tty->outside)
		return false;
	return tty->what == TTY_SLAVE || (tty->what == TTY_MASTER && tty->other);
}

static void warn_kept(const struct dump *dump)
{
	for (const struct dump_tty *t = dump->ttys->first; t; t = t->next)
		if (is_ours(t) && is_readable(t->fd))
			log_warn("%s: what waits to be read from terminal '%s' stays with the "
				 "running process: the images don't have it",
				 t->where, t->link);
}

int tty_drain(struct dump *dump, struct error *err)
{
	int r = 0;

	if (!dump->ttys)
		return 0;
	if (dump->opts->after != CRYO_AFTER_KILL) {
		warn_kept(dump);
		return 0;
	}
	for (struct dump_tty *t = dump->ttys->first; t && r == 0; t = t->next) {
		if (!is_ours(t))
			continue;
		t->drained = true;
		r = t->what == TTY_MASTER ? take_master(t, err) : take_slave(t, err);
		if (r == 0)
			r = write_data(dump, t, err);
	}
	if (r == 0 && dump->ttys->data.fd >= 0)
		r = image_finish(&dump->ttys->data, err);
	return r;
}

static void put_back(struct dump_tty *tty)
{
	const struct tty_termios plain = plain_mode(&tty->set);
	const int on = 1;

	if (tty->queue_len && tty->what == TTY_SLAVE)
		(void)ioctl(tty->fd, TCSETS2, &plain); /* else it is put back as if typed */
	for (size_t i = 0; i < tty->queue_len; i++) {
		/* Synchronous, and only as much as was in there before: nothing is lost. */
		if (ioctl(tty->fd, TIOCSTI, &tty->queue[i]) < 0) {
			log_warn("%s: %zu bytes that waited in terminal '%s' are lost: %s",
				 tty->where, tty->queue_len - i, tty->link, strerror(errno));
			break;
		}
	}
	if (tty->what == TTY_SLAVE)
		(void)ioctl(tty->fd, TCSETS2, &tty->set); /* as it was */
	if (tty->info.packet_mode)
		(void)ioctl(tty->fd, TIOCPKT, &on); /* as it was */
}

void tty_refill(struct dump *dump)
{
	for (struct dump_tty *t = dump->ttys ? dump->ttys->first : NULL; t; t = t->next)
		if (t->drained)
			put_back(t);
}
