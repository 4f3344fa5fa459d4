/*
 * sk-unix-restore: what the files of the restore half share. Internal to them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ckpt/file-restore.h"
#include "img/pb/sk-packet.pb-c.h"
#include "trace/tape.h"

struct restore;

struct packet {
	uint32_t socket; /* id in files.img */
	uint32_t length;
	uint64_t at; /* area */
	const SkPacketEntry *entry;
	size_t order;
};

struct sock {
	struct rfile *file;
	const UnixSkEntry *e;
	struct sock *pair;     /* both are connected to each other */
	struct sock *listener; /* it was accepted from, or waits at */
	struct sock *target;   /* datagrams go there, nothing needs to come back */
	struct sock *sources;  /* first of those with this one as target */
	struct sock *next_source;
	int feeder;  /* staging number of a throw-away other end, or -1 */
	bool orphan; /* accepted from its listener, by a client that is gone */
	bool made;
	bool connected;
	bool fed;
	uint64_t unread; /* bytes of its packets */
};

struct socks {
	struct restore *r;
	struct tape *tape;
	struct sock *v; /* ascending by inode */
	size_t n;
	struct packet *packets; /* ascending by socket, in their order */
	size_t n_packets;
};

static inline bool is_named(const struct sock *s)
{
	return s->e->name.len > 0;
}

static inline bool is_path(const struct sock *s)
{
	return is_named(s) && s->e->name.data[0] != '\0';
}

static inline bool is_deleted(const struct sock *s)
{
	return is_path(s) && s->e->has_deleted && s->e->deleted;
}

static inline bool is_stream(const struct sock *s)
{
	return s->e->type != SOCK_DGRAM;
}

/* It has its name from its listener, and must not be bound to it once more. */
static inline bool is_accepted(const struct sock *s)
{
	return s->listener && (s->pair || s->orphan);
}

static inline const char *name_of(const struct sock *s)
{
	return is_path(s)    ? (const char *)s->e->name.data
	       : is_named(s) ? "(abstract)"
			     : "(unnamed)";
}

static inline struct tape_arg fd_of(const struct sock *s)
{
	return tape_imm((uint64_t)s->file->staging);
}

/* sk-unix-restore.c */
struct sock *unix_find(const struct socks *all, uint32_t ino);
void unix_tape_socket(struct socks *all, uint32_t type, int staging, uint32_t id);

/* sk-unix-names-restore.c: binding, listening, connecting by name. */
int unix_tape_names(struct socks *all, struct error *err);
int unix_tape_connections(struct socks *all, struct error *err);
/* struct sockaddr_un in the area; returns its length. */
size_t unix_address(struct socks *all, const struct sock *s, uint64_t *ret_at);
/* A relative name was looked up from there, and is again. */
void unix_tape_enter_dir(struct socks *all, const struct sock *s);

/* sk-queue-restore.c: what waits in them. */
int unix_load_packets(struct socks *all, struct error *err);
/* The first packet of that socket; NULL: it has none. */
const struct packet *unix_packets_of(const struct socks *all, const struct sock *s);
int unix_tape_feed(struct socks *all, struct sock *s, struct error *err);
