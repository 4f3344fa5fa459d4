/*
 * tty-dump-priv: the terminals of a dump, each end once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ckpt/tty.h"
#include "img/image.h"

struct dump_tty {
	struct dump_tty *next;
	const char *where; /* who was seen with it first, for messages */
	const char *link;
	enum tty_what what;
	bool outside; /* named by --external */
	bool hung;    /* its other end is gone for good */
	uint64_t dev; /* of its devpts */
	uint32_t index;
	int fd;	   /* ours, of some description of it */
	pid_t sid; /* as we see them; 0: none */
	pid_t pgrp;
	struct dump_tty *other; /* its other end, if that is in the tree */
	TtyInfoEntry info;
	TermiosEntry termios;
	TermiosEntry locked;
	WinsizeEntry size;
	TtyPtyEntry pty;
	struct tty_termios set; /* what `termios` says */
	bool drained;		/* tty_drain() began to take its queue */
	char *queue;
	size_t queue_len;
};

struct dump_ttys {
	struct dump_tty *first; /* newest first */
	uint32_t next_number;	/* for pairs whose index is taken by another */
	uint32_t next_hung;
	uint32_t next_outside;
	struct image data; /* tty-data.img, once there is any */
};

/* Of the arena; NULL: out of memory. */
struct dump_tty *dump_tty_new(struct dump *dump, const struct dump_fd *fd, enum tty_what what);
/* Settings and size, asked of the description; or that it was hung up. */
int dump_tty_look(struct dump *dump, const struct dump_fd *fd, struct dump_tty *tty,
		  struct error *err);
/* Gives it a number and a descriptor of its own, and puts it on the list. */
int dump_tty_add(struct dump *dump, const struct dump_fd *fd, struct dump_tty *tty,
		 struct error *err);
