/*
 * tty: terminals. What both halves know of them.
 *
 * A pty is a pair: a master, opened from a ptmx, and a slave with a number in
 * that devpts instance. Many descriptions may be open of the slave, one of the
 * master; settings, window size, session and foreground group belong to the
 * pair. The images name an end by a number that is even for slaves and one
 * higher for their masters.
 *
 * /dev/tty is no terminal: a description opened through it is one of the
 * terminal that its opener's session had then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "img/pb/tty.pb-c.h"

struct cryo_dump_opts;
struct dump;
struct dump_fd;
struct error;
struct fd_look;

enum tty_what {
	TTY_NONE,
	TTY_MASTER,  /* /dev/ptmx */
	TTY_SLAVE,   /* /dev/pts/N */
	TTY_OWN,     /* /dev/tty */
	TTY_CONSOLE, /* /dev/console of the machine */
	TTY_VIRTUAL, /* /dev/tty1 */
	TTY_SERIAL,
	TTY_OTHER,
};

enum tty_what tty_what(dev_t rdev);

#define TTY_N_CC 19 /* the kernel's control characters in struct termios */

/* The kernel's struct termios2. */
struct tty_termios {
	uint32_t iflag;
	uint32_t oflag;
	uint32_t cflag;
	uint32_t lflag;
	uint8_t line;
	uint8_t cc[TTY_N_CC];
	uint32_t ispeed;
	uint32_t ospeed;
};

#define TTY_KEY_MAX 48

/* "tty[RDEV:DEV]": what --external and --inherit-fd call a terminal that stays outside. */
const char *tty_key(uint64_t rdev, uint64_t dev, char key[TTY_KEY_MAX]);

/* Ends of ptys in the images; the high bits number the pair. */
static inline uint32_t tty_pair_of(uint32_t info_id)
{
	return info_id >> 1;
}

/* tty-dump.c, besides tty_dump() and tty_check() (fd-kind.h) */
/* When all tasks were seen: sessions, and is every other end in the tree? */
int tty_finish(struct dump *dump, struct error *err);
/* When all else is written and the tree is to die: what was typed and not yet read. */
int tty_drain(struct dump *dump, struct error *err);
/* The dump failed after that: back with it. */
void tty_refill(struct dump *dump);
void tty_done(struct dump *dump);
