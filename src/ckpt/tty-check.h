/*
 * tty-check: terminals of a running tree whose other end is elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cryo_dump_opts;
struct error;
struct fd_look;

struct tty_seen {
	pid_t host_pid;
	int number;
	char *link;
	uint32_t index;
	bool master;
};

struct tty_check {
	struct tty_seen *seen;
	size_t n;
	size_t size;
};

int tty_check_add(struct tty_check *check, const struct cryo_dump_opts *opts,
		  const struct fd_look *look, pid_t host_pid, int number, struct error *err);

/* `found` for each slave that no master of the tree belongs to, unless that is allowed. */
int tty_check_ends(struct tty_check *check, const struct cryo_dump_opts *opts,
		   int (*found)(void *arg, int r, const struct error *err), void *arg);
void tty_check_done(struct tty_check *check);
