/*
 * sk-unix-restore: R makes all unix sockets of the tree at once.
 *
 * In this order, since each step needs those before it:
 *	sockets and socketpairs
 *	bound names whose files are gone again: bound, used, unlinked
 *	all other names; listening
 *	connections: accepted ones through their listener if it is in the tree, so that both
 *	ends have their names; those that wait to be accepted; datagram sockets to others
 *	data, from whoever sent it or could have; shutdown
 *	options and flags, which might have been in the way
 */
#include "ckpt/sk-unix-restore.h"

#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sk-opts.h"

static void socks_done(struct socks *all)
{
	free(all->v);
	free(all->packets);
}

#define cleanup_socks __attribute__((cleanup(socks_done)))

static bool same_name(const struct sock *a, const struct sock *b)
{
	return a->e->name.len == b->e->name.len &&
	       !memcmp(a->e->name.data, b->e->name.data, a->e->name.len) &&
	       (!a->e->name_dir) == (!b->e->name_dir) &&
	       (!a->e->name_dir || !strcmp(a->e->name_dir, b->e->name_dir));
}

/* -------------------------------------------------------------------- loading */

static int by_ino(const void *a, const void *b)
{
	uint32_t x = ((const struct sock *)a)->e->ino;
	uint32_t y = ((const struct sock *)b)->e->ino;

	return x < y ? -1 : x > y;
}

struct sock *unix_find(const struct socks *all, uint32_t ino)
{
	UnixSkEntry e = UNIX_SK_ENTRY__INIT;
	struct sock key = { .e = &e };

	e.ino = ino;
	return bsearch(&key, all->v, all->n, sizeof(key), by_ino);
}

static int check_entry(const UnixSkEntry *e, struct error *err)
{
	if (e->type != SOCK_STREAM && e->type != SOCK_DGRAM && e->type != SOCK_SEQPACKET)
		return err_set(err, -EBADMSG, "files.img: unix socket %u is of type %u", e->id,
			       e->type);
	if (e->name.len > sizeof(((struct sockaddr_un *)0)->sun_path) + 1)
		return err_set(err, -EBADMSG, "files.img: unix socket %u has a name of %zu bytes",
			       e->id, e->name.len);
	if (e->name.len && e->name.data[0] && e->name.data[e->name.len - 1])
		return err_set(err, -EBADMSG, "files.img: unix socket %u: its path has no end",
			       e->id);
	if (e->uflags)
		return err_set(err, -EOPNOTSUPP,
			       "unix socket %u (inode %u): its other end was outside of the tree; "
			       "that can't be rebuilt yet",
			       e->id, e->ino);
	return 0;
}

static int load_one(struct socks *all, uint32_t id, struct error *err)
{
	struct rfile *file = files_find(all->r, id);
	int ret;

	if (!file || file->entry->type != FD_TYPES__UNIXSK || !file->entry->usk ||
	    file->staging >= 0)
		return 0;
	ret = check_entry(file->entry->usk, err);
	if (ret < 0)
		return ret;
	file->planned = true;
	file->staging = fd_stage(all->r, err);
	if (file->staging < 0)
		return file->staging;
	all->v[all->n++] = (struct sock){ .file = file, .e = file->entry->usk, .feeder = -1 };
	return 0;
}

/* All that some task holds, or that lie in a queue; each is made here and now. */
static int load_sockets(struct socks *all, struct error *err)
{
	struct restore *r = all->r;
	int ret = 0;

	all->v = calloc(r->n_files ? r->n_files : 1, sizeof(*all->v));
	if (!all->v)
		return err_oom(err);
	for (size_t i = 0; i < r->n_tasks; i++)
		for (size_t j = 0; j < r->tasks[i]->n_fds && ret >= 0; j++)
			ret = load_one(all, r->tasks[i]->fds[j]->id, err);
	for (size_t i = 0; i < all->n_packets; i++) {
		const SkPacketEntry *packet = all->packets[i].entry;

		for (size_t j = 0; j < packet->n_scm; j++)
			for (size_t k = 0; packet->scm[j]->type == SCM_RIGHTS &&
					   k < packet->scm[j]->n_rights && ret >= 0;
			     k++)
				ret = load_one(all, packet->scm[j]->rights[k], err);
	}
	if (ret >= 0)
		qsort(all->v, all->n, sizeof(*all->v), by_ino);
	return ret;
}

/* ----------------------------------------------------------------- who to whom */

static int by_name(const void *a, const void *b)
{
	const struct sock *x = *(struct sock *const *)a;
	const struct sock *y = *(struct sock *const *)b;
	size_t len = x->e->name.len < y->e->name.len ? x->e->name.len : y->e->name.len;
	int r = len ? memcmp(x->e->name.data, y->e->name.data, len) : 0;

	if (r)
		return r;
	if (x->e->name.len != y->e->name.len)
		return x->e->name.len < y->e->name.len ? -1 : 1;
	return is_deleted(x) - is_deleted(y); /* the one that can be reached comes first */
}

/* The listener with that name and type among `n` sorted ones. */
static struct sock *find_listener(struct sock *const *v, size_t n, const struct sock *s)
{
	size_t low = 0;
	size_t high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_name(&v[middle], &s) < 0 && !same_name(v[middle], s))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && v[low]->e->name.len == s->e->name.len; low++) {
		if (memcmp(v[low]->e->name.data, s->e->name.data, s->e->name.len) != 0)
			break;
		if (v[low]->e->type == s->e->type && same_name(v[low], s))
			return v[low];
	}
	return NULL;
}

static int connect_one(struct socks *all, struct sock *s, struct sock *const *listeners,
		       size_t n_listeners, struct error *err)
{
	struct sock *peer = unix_find(all, s->e->peer);

	if (!peer)
		return err_set(err, -EBADMSG,
			       "files.img: the other end of unix socket %u, inode %u, is held by "
			       "no task",
			       s->e->id, s->e->peer);
	if (peer->e->type != s->e->type)
		return err_set(err, -EBADMSG,
			       "files.img: unix sockets %u and %u are of different types", s->e->id,
			       peer->e->id);
	if (peer != s && peer->e->peer == s->e->ino) {
		s->pair = peer;
		/* The accepted end has its listener's name. */
		if (is_stream(s) && is_named(s))
			s->listener = find_listener(listeners, n_listeners, s);
	} else if (is_stream(s)) {
		if (peer->e->state != TCP_LISTEN)
			return err_set(err, -EBADMSG,
				       "files.img: unix socket %u is connected to %u, which is "
				       "not connected to it",
				       s->e->id, peer->e->id);
		s->listener = peer;
	} else {
		if (!is_named(peer) && peer != s)
			return err_set(err, -EOPNOTSUPP,
				       "unix socket %u is connected to %u, which has no name",
				       s->e->id, peer->e->id);
		s->target = peer;
		s->next_source = peer->sources;
		peer->sources = s;
	}
	return 0;
}

/* Its other end is gone, or has sent something and can't be told: a throw-away takes its place. */
static bool wants_feeder(const struct socks *all, const struct sock *s)
{
	if (s->e->peer || s->e->state == TCP_LISTEN)
		return false;
	if (is_stream(s))
		return s->e->state == TCP_ESTABLISHED;
	return !is_named(s) && unix_packets_of(all, s);
}

static int find_connections(struct socks *all, struct error *err)
{
	cleanup_free struct sock **listeners = calloc(all->n + 1, sizeof(*listeners));
	size_t n = 0;

	if (!listeners)
		return err_oom(err);
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].e->state == TCP_LISTEN && is_named(&all->v[i]))
			listeners[n++] = &all->v[i];
	if (n)
		qsort(listeners, n, sizeof(*listeners), by_name);
	for (size_t i = 0; i < all->n; i++) {
		struct sock *s = &all->v[i];
		int ret = 0;

		if (s->e->peer && s->e->state != TCP_LISTEN)
			ret = connect_one(all, s, listeners, n, err);
		else if (wants_feeder(all, s) && is_stream(s) && is_named(s))
			s->listener = find_listener(listeners, n, s);
		if (ret < 0)
			return ret;
		s->orphan = s->listener && !s->e->peer;
	}
	/* Of a pair one end at most is the accepted one. */
	for (size_t i = 0; i < all->n; i++) {
		struct sock *s = &all->v[i];

		if (s->pair && s->listener && s->pair->listener)
			s->pair->listener = NULL;
	}
	return 0;
}

/* --------------------------------------------------------------------- making */

void unix_tape_socket(struct socks *all, uint32_t type, int staging, uint32_t id)
{
	uint32_t slot =
		tape_call(all->tape, SYS_socket,
			  TAPE_ARGS(tape_imm(AF_UNIX), tape_imm(type | SOCK_CLOEXEC), tape_imm(0)),
			  "making unix socket %u", id);

	fd_tape_stage(all->tape, slot, staging);
}

/* Two new descriptors whose numbers lie at `ends` become a and b. */
static void tape_pair(struct socks *all, uint32_t type, int a, int b, const struct sock *s)
{
	uint64_t ends = area_alloc(&all->r->area, 8, 8);
	int staging[2] = { a, b };

	tape_call(all->tape, SYS_socketpair,
		  TAPE_ARGS(tape_imm(AF_UNIX), tape_imm(type | SOCK_CLOEXEC), tape_imm(0),
			    tape_at(ends)),
		  "making unix socket %u and its other end", s->e->id);
	for (unsigned int i = 0; i < 2; i++) {
		tape_call(all->tape, SYS_dup3,
			  TAPE_ARGS(tape_load32(ends + 4 * i), tape_imm((uint64_t)staging[i]),
				    tape_imm(O_CLOEXEC)),
			  "keeping unix socket as descriptor %d", staging[i]);
		tape_call(all->tape, SYS_close, TAPE_ARGS(tape_load32(ends + 4 * i)),
			  "keeping unix socket as descriptor %d", staging[i]);
	}
}

static int make_all(struct socks *all, struct error *err)
{
	for (size_t i = 0; i < all->n; i++) {
		struct sock *s = &all->v[i];

		if (s->made || (s->pair && is_accepted(s)))
			continue;
		s->made = true;
		if (wants_feeder(all, s)) {
			s->feeder = fd_stage(all->r, err);
			if (s->feeder < 0)
				return s->feeder;
			if (s->orphan)
				unix_tape_socket(all, s->e->type, s->feeder, s->e->id);
			else
				tape_pair(all, s->e->type, s->file->staging, s->feeder, s);
		} else if (s->pair && !s->pair->listener) {
			s->pair->made = true;
			s->connected = true;
			s->pair->connected = true;
			tape_pair(all, s->e->type, s->file->staging, s->pair->file->staging, s);
		} else {
			unix_tape_socket(all, s->e->type, s->file->staging, s->e->id);
		}
	}
	return 0;
}

/* ------------------------------------------------------------------- all of it */

static void tape_end(struct socks *all, const struct sock *s)
{
	uint32_t shutdown_bits = s->e->has_shutdown ? s->e->shutdown : 0;
	uint32_t flags = s->e->flags & (O_NONBLOCK | O_ASYNC);

	if (s->feeder >= 0)
		tape_call(all->tape, SYS_close, TAPE_ARGS(tape_imm((uint64_t)s->feeder)),
			  "closing the other end of unix socket %u", s->e->id);
	else if (shutdown_bits && s->e->state != TCP_LISTEN && (s->pair || !is_stream(s)))
		tape_call(all->tape, SYS_shutdown, TAPE_ARGS(fd_of(s), tape_imm(shutdown_bits - 1)),
			  "shutting down unix socket %u", s->e->id);
	sk_opts_tape(&all->r->area, all->tape, s->file->staging, s->e->opts);
	if (flags)
		tape_call(all->tape, SYS_fcntl,
			  TAPE_ARGS(fd_of(s), tape_imm(F_SETFL), tape_imm(flags)),
			  "flags of unix socket %u", s->e->id);
}

int unix_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	cleanup_socks struct socks all = { .r = r, .tape = tape };
	int ret;

	if (!file->entry->usk)
		return err_set(err, -EBADMSG, "files.img: unix socket %u has no record",
			       file->entry->id);
	ret = unix_load_packets(&all, err);
	if (ret >= 0)
		ret = load_sockets(&all, err);
	if (ret >= 0)
		ret = find_connections(&all, err);
	if (ret >= 0)
		ret = make_all(&all, err);
	if (ret >= 0)
		ret = unix_tape_names(&all, err);
	if (ret >= 0)
		ret = unix_tape_connections(&all, err);
	for (size_t i = 0; i < all.n && ret >= 0; i++)
		ret = unix_tape_feed(&all, &all.v[i], err);
	for (size_t i = 0; i < all.n && ret >= 0; i++)
		tape_end(&all, &all.v[i]);
	return ret < 0 ? ret : 0;
}
