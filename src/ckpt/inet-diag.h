/*
 * inet-diag: what only sock_diag(7) and /proc/net tell of an internet socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "img/pb/sk-inet.pb-c.h"

struct dump;
struct error;

/* How a UDP socket is shut down: bits 1 (read) and 2 (write). */
int inet_diag_shutdown(struct dump *dump, int fd, const char *where, const InetSkEntry *entry,
		       uint32_t *ret_bits, struct error *err);

/* Who a raw socket is connected to, and its state; untouched if to nobody. */
int inet_raw_peer(struct dump *dump, uint32_t ino, uint32_t family, uint32_t peer[4],
		  uint32_t *ret_state, struct error *err);

/* Does any process have the other end of this TCP connection? Of those that are not here at all
 * nobody can say: they count as held. */
int inet_diag_peer_held(int fd, const char *where, const InetSkEntry *entry, bool *ret_held,
			struct error *err);
