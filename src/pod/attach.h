/*
 * attach: talk with a container through conmon's attach socket.
 *
 * One SEQPACKET connection: towards us each packet is a stream's number (2 out,
 * 3 err) and its bytes, towards the container plain bytes of standard input.
 * The connection ends when the container (or exec session) does.
 */
#pragma once

#include <stdbool.h>

struct error;

struct attach {
	int in; /* our side's standard input; -EBADF: none is passed on */
	int out;
	int err;
	bool terminal;		 /* the container has a pty */
	const char *detach_keys; /* "ctrl-p,ctrl-q"; NULL: that; "": none */
	/* What to do with a signal for us (SIGINT, SIGTERM, ...); NULL: it ends us as usual. */
	void (*on_signal)(void *arg, int signal);
	void *arg;
};

/* `bundle`: the folder of the socket and of the window-size pipe. Returns a descriptor. */
int attach_connect(const char *bundle, struct error *err);

/* 0: the other side ended; 1: the detach keys were typed. Our terminal is as before then. */
int attach_run(int fd, const char *bundle, const struct attach *attach, struct error *err);

/* Tells the container's pty the size of our terminal; nothing happens without one. */
void attach_resize(const char *bundle);

/* "ctrl-p,ctrl-q" or "a,ctrl-]" as bytes. Returns how many, or -EINVAL. */
int detach_keys_parse(const char *words, unsigned char *ret, int max, struct error *err);
