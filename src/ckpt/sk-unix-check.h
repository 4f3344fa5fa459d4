/*
 * sk-unix-check: connections of unix sockets that lead out of a running tree.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

struct unix_seen {
	uint32_t ino;
	pid_t host_pid;
	int number;
};

struct unix_check {
	struct unix_seen *seen;
	size_t n;
	size_t size;
};

int unix_check_add(struct unix_check *check, uint32_t ino, pid_t host_pid, int number,
		   struct error *err);

/* `found` for each whose other end none has. A network namespace is that of `root`. */
int unix_check_peers(struct unix_check *check, pid_t root,
		     int (*found)(void *arg, int r, const struct error *err), void *arg,
		     struct error *err);
void unix_check_done(struct unix_check *check);
