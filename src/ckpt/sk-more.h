/*
 * sk-more: socket options that CRIU's records have no field for.
 *
 * They are kept as the setsockopt(2) calls that set them again. What needs no
 * call is found by comparison with a new socket of the same sort in the same
 * network namespace: so no table of defaults has to be true on each kernel.
 */
#pragma once

#include <stdbool.h>

#include "img/pb/sk-opts.pb-c.h"

struct area;
struct dump;
struct error;
struct sk_half;
struct tape;

/* What is asked once a dump, not once a socket. */
struct sk_cache {
	char *groups4; /* /proc/PID/net/igmp; NULL: there is none */
	char *groups6;
	bool groups;		/* they were read */
	struct sk_half *halves; /* inet-diag-dump.c: UDP sockets that are shut down */
	unsigned int asked;	/* bits: the kinds of UDP that were asked for */
};

/* NULL: out of memory. */
struct sk_cache *sk_cache(struct dump *dump);

/* Appends to opts->more. */
int sk_more_dump(struct dump *dump, int fd, const char *where, SkOptsEntry *opts,
		 struct error *err);
void sk_more_done(struct dump *dump);

/* sk-groups.c: multicast groups the socket has joined, as further such calls. */
int sk_groups_dump(struct dump *dump, int fd, const char *where, SkOptsEntry *opts,
		   struct error *err);

/* One more call. */
int sk_more_add(struct dump *dump, SkOptsEntry *opts, int level, int name, const void *value,
		size_t len, struct error *err);

/* R's tape: the calls for the socket's own level, or for all other levels. */
void sk_more_tape(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts,
		  bool socket_level);
