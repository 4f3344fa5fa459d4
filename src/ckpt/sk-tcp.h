/*
 * sk-tcp: open TCP connections, both ends of which are in the tree.
 *
 * The kernel hands out and takes back a connection's inner state in "repair"
 * mode (TCP_REPAIR, CAP_NET_ADMIN). Design: docs/design/tcp.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "img/pb/sk-inet.pb-c.h"

struct dump;
struct error;
struct restore;
struct rfile;
struct tape;

/* As the kernel and the images number them (TCP_ESTABLISHED, ...). */
enum tcp_state {
	TCP_STATE_ESTABLISHED = 1,
	TCP_STATE_SYN_SENT,
	TCP_STATE_SYN_RECV,
	TCP_STATE_FIN_WAIT1,
	TCP_STATE_FIN_WAIT2,
	TCP_STATE_TIME_WAIT,
	TCP_STATE_CLOSE,
	TCP_STATE_CLOSE_WAIT,
	TCP_STATE_LAST_ACK,
	TCP_STATE_LISTEN,
	TCP_STATE_CLOSING,
};

/* What a state says about FIN segments, the last one in each direction. */
bool tcp_sent_fin(uint32_t state);
bool tcp_got_fin(uint32_t state);

/* Is there something to be kept? Not while it is being opened. */
bool tcp_is_open(uint32_t state);

/* A connection that is over: its socket still has the names, and perhaps unread bytes. */
bool tcp_is_over(const InetSkEntry *entry);

/* A connection by its ends, IPv4 addresses as IPv6 has them. */
struct tcp_tuple {
	unsigned char own[16];
	unsigned char peer[16];
	uint32_t own_port;
	uint32_t peer_port;
};

struct tcp_tuple tcp_tuple_of(const InetSkEntry *entry);
struct tcp_tuple tcp_tuple_of_peer(const InetSkEntry *entry);
int tcp_tuple_compare(const struct tcp_tuple *a, const struct tcp_tuple *b);

/* ---- dump ---- */

/* Remembers the connection; its records are written by tcp_finish(). `entry` and all it points
 * to live as long as the dump. */
int tcp_dump(struct dump *dump, int fd, const char *where, InetSkEntry *entry, struct error *err);
/* All tasks were seen: states, queues, records. */
int tcp_finish(struct dump *dump, struct error *err);
/* The tree is about to be killed: its connections end without a word to anybody. */
void tcp_hold(struct dump *dump);
void tcp_done(struct dump *dump);

/* ---- restore: R's tape, for sockets that are made already ---- */

int tcp_tape(struct restore *r, struct tape *tape, struct error *err);
