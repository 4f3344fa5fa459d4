/*
 * packet-diag: AF_PACKET sockets of the tree's network namespace, as
 * sock_diag(7) tells them. No option tells who has joined what.
 */
#pragma once

#include <stdint.h>

#include "img/pb/packet-sock.pb-c.h"

struct dump;
struct error;

struct packet_diag {
	struct packet_diag *next;
	uint32_t ino;
	PacketSockEntry entry; /* type, protocol, and all the kernel says; in the dump's arena */
};

/* NULL in *ret: there is none of that number. */
int packet_diag_find(struct dump *dump, uint32_t ino, const struct packet_diag **ret,
		     struct error *err);
