/*
 * unix-diag: what sock_diag(7) says of all unix sockets of a network namespace.
 *
 * Asked once for all: a question for a single socket makes the kernel walk
 * through all of them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct error;

struct unix_diag {
	uint32_t ino;
	uint32_t peer; /* inode of the other end; 0: none, or not accepted yet */
	uint8_t type;
	uint8_t state;	  /* TCP_ESTABLISHED, TCP_CLOSE, TCP_LISTEN */
	uint8_t shutdown; /* bits: 1 receiving, 2 sending */
	const char *name; /* path with its final zero, or abstract; NULL: unbound */
	size_t name_len;
	uint32_t backlog;   /* listening: how many may wait */
	uint32_t n_pending; /* listening: connected, not accepted */
	uint32_t n_gone;    /* of these, closed already */
	uint32_t unread;    /* connected: bytes sent that the other end has not read */
};

/* A connection that waits to be accepted. */
struct unix_pending {
	uint32_t ino;	   /* of the connecting socket */
	uint32_t listener; /* its inode */
};

struct unix_diags {
	struct unix_diag *v; /* ascending by ino */
	size_t n;
	struct unix_pending *pending; /* ascending by ino */
	size_t n_pending;
};

/* Those of the network namespace of that process. Names live in the arena. */
int unix_diag_load(pid_t host_pid, struct arena *arena, struct unix_diags *ret, struct error *err);
void unix_diags_done(struct unix_diags *diags);

const struct unix_diag *unix_diag_find(const struct unix_diags *diags, uint32_t ino);
/* The listener that the socket waits at; 0: none. */
uint32_t unix_diag_waits_at(const struct unix_diags *diags, uint32_t ino);
