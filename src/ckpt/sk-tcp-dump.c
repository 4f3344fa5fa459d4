/*
 * sk-tcp-dump: states and queues of connections.
 *
 * The tasks stand still, but their kernel's TCP does not: it goes on sending
 * what lies in queues. A pair is consistent if neither end has forgotten
 * (because it was acknowledged) what the other, as it was read, has not got. If
 * the reader was overtaken, the pair is read again; it comes to rest, since
 * nobody writes or reads.
 *
 * Repair mode also holds for the program, so each socket is in it for
 * the few microseconds of its reading only.
 */
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/inet-diag.h"
#include "ckpt/sk-inet.h"
#include "ckpt/sk-tcp.h"
#include "img/image.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/tcp-stream.pb-c.h"

#define TRIES 200
#define QUEUE_MAX ((size_t)256 << 20)

#ifndef TCP_REPAIR_OFF_NO_WP
#define TCP_REPAIR_OFF_NO_WP -1
#endif

struct tcp_connection {
	struct tcp_connection *next;
	struct tcp_connection *peer; /* NULL: it is gone */
	struct tcp_tuple tuple;
	InetSkEntry *entry;
	const char *where;
	int fd; /* ours */
	TcpStreamEntry stream;
	uint32_t unacked; /* SIOCOUTQ, as it is: with the FIN */
	char *received;
	char *sent;
};

static void forget_queues(struct tcp_connection *c)
{
	free(c->received);
	free(c->sent);
	c->received = NULL;
	c->sent = NULL;
}

int tcp_dump(struct dump *dump, int fd, const char *where, InetSkEntry *entry, struct error *err)
{
	struct tcp_connection *c = arena_new(&dump->arena, struct tcp_connection);

	if (!c)
		return err_oom(err);
	c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (c->fd < 0)
		return err_sys(err, "%s: duplicate a descriptor", where);
	c->where = where;
	c->entry = entry;
	c->tuple = tcp_tuple_of(entry);
	c->next = dump->connections;
	dump->connections = c;
	return 0;
}

void tcp_done(struct dump *dump)
{
	for (struct tcp_connection *c = dump->connections; c; c = c->next) {
		(void)close(c->fd); /* only a copy */
		forget_queues(c);
	}
	dump->connections = NULL;
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

void tcp_hold(struct dump *dump)
{
	for (struct tcp_connection *c = dump->connections; c; c = c->next)
		if (set_int(c->fd, IPPROTO_TCP, TCP_REPAIR, 1) < 0)
			log_debug("%s: its peer will be told of the end", c->where);
}

/* -------------------------------------------------------------------- reading */

/* One byte more is asked for than there should be. */
static int peek(const struct tcp_connection *c, size_t len, char **ret, struct error *err)
{
	cleanup_free char *data = NULL;
	ssize_t n;

	if (!len)
		return 0;
	if (len > QUEUE_MAX)
		return err_set(err, -E2BIG, "%zu bytes lie in its queue", len);
	data = malloc(len + 1);
	if (!data)
		return err_oom(err);
	n = recv(c->fd, data, len + 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		return err_sys(err, "read its queue");
	if ((size_t)n != len)
		return err_set(err, -EAGAIN, "%zd of %zu bytes of its queue can be read", n, len);
	*ret = take_ptr(&data);
	return 0;
}

static int queue_seq(const struct tcp_connection *c, int queue, uint32_t *ret, struct error *err)
{
	socklen_t len = sizeof(*ret);

	if (set_int(c->fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue) < 0 ||
	    getsockopt(c->fd, IPPROTO_TCP, TCP_QUEUE_SEQ, ret, &len) < 0)
		return err_sys(err, "sequence number of a queue");
	return 0;
}

static int read_options(struct tcp_connection *c, const struct tcp_info *info, struct error *err)
{
	TcpStreamEntry *s = &c->stream;
	struct tcp_repair_window window;
	socklen_t len = sizeof(s->mss_clamp);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &s->mss_clamp, &len) < 0)
		return err_sys(err, "its segment size");
	s->opt_mask = info->tcpi_options;
	if (info->tcpi_options & TCPI_OPT_WSCALE) {
		s->snd_wscale = info->tcpi_snd_wscale;
		s->has_rcv_wscale = true;
		s->rcv_wscale = info->tcpi_rcv_wscale;
	}
	len = sizeof(s->timestamp);
	if (info->tcpi_options & TCPI_OPT_TIMESTAMPS) {
		s->has_timestamp = true;
		if (getsockopt(c->fd, IPPROTO_TCP, TCP_TIMESTAMP, &s->timestamp, &len) < 0)
			return err_sys(err, "its time stamp");
	}
	len = sizeof(window);
	if (getsockopt(c->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &len) < 0)
		return err_sys(err, "its window");
	s->has_snd_wl1 = s->has_snd_wnd = s->has_max_window = s->has_rcv_wnd = s->has_rcv_wup =
		true;
	s->snd_wl1 = window.snd_wl1;
	s->snd_wnd = window.snd_wnd;
	s->max_window = window.max_window;
	s->rcv_wnd = window.rcv_wnd;
	s->rcv_wup = window.rcv_wup;
	return 0;
}

/* In repair mode. */
static int read_state(struct tcp_connection *c, struct error *err)
{
	TcpStreamEntry *s = &c->stream;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int in = 0, out = 0, unsent = 0;
	uint32_t fin;
	int r;

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    ioctl(c->fd, SIOCOUTQ, &out) < 0 || ioctl(c->fd, SIOCOUTQNSD, &unsent) < 0 ||
	    ioctl(c->fd, SIOCINQ, &in) < 0)
		return err_sys(err, "its state");
	c->entry->state = info.tcpi_state;
	if (tcp_is_over(c->entry))
		out = unsent = 0; /* they will never be sent */
	else if (!tcp_is_open(info.tcpi_state))
		return err_set(err, -EAGAIN, "its state is %u", info.tcpi_state);
	/* The FIN has a number, but is no byte. */
	fin = tcp_sent_fin(info.tcpi_state);
	c->entry->shutdown = (SkShutdown)((fin ? SK_SHUTDOWN__WRITE : 0) |
					  (tcp_got_fin(info.tcpi_state) ? SK_SHUTDOWN__READ : 0));
	c->entry->has_shutdown = c->entry->shutdown != SK_SHUTDOWN__NONE;
	c->unacked = (uint32_t)out;
	s->inq_len = (uint32_t)in;
	s->outq_len = (uint32_t)out - (fin && out ? 1 : 0);
	s->has_unsq_len = true;
	s->unsq_len = (uint32_t)unsent - (fin && unsent ? 1 : 0);
	r = read_options(c, &info, err);
	if (r == 0)
		r = queue_seq(c, TCP_RECV_QUEUE, &s->inq_seq, err);
	if (r == 0)
		r = peek(c, s->inq_len, &c->received, err);
	if (r == 0)
		r = queue_seq(c, TCP_SEND_QUEUE, &s->outq_seq, err);
	if (r == 0)
		r = peek(c, s->outq_len, &c->sent, err);
	return r;
}

/* Leaving repair mode resets address reuse, and peeking moves the peek offset. */
static int read_one(struct tcp_connection *c, struct error *err)
{
	struct error first = ERROR_INIT;
	int reuse = 0, offset = -1;
	socklen_t len = sizeof(int);
	int r;

	forget_queues(c);
	tcp_stream_entry__init(&c->stream);
	if (getsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &len) < 0)
		return err_sys(err, "its address reuse");
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &len) == 0 && offset >= 0)
		(void)set_int(c->fd, SOL_SOCKET, SO_PEEK_OFF, -1);
	r = set_int(c->fd, IPPROTO_TCP, TCP_REPAIR, 1);
	if (r < 0)
		return err_set(err, r, "repair mode: %s", strerror(-r));
	r = read_state(c, &first);
	if (set_int(c->fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP) < 0 ||
	    set_int(c->fd, SOL_SOCKET, SO_REUSEADDR, reuse) < 0)
		return err_sys(err, "end of repair mode");
	if (offset >= 0)
		(void)set_int(c->fd, SOL_SOCKET, SO_PEEK_OFF, offset);
	return r < 0 ? err_set(err, r, "%s", first.text) : 0;
}

static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(b - a) < 0;
}

/* Has `c` forgotten what its peer, as it was read, has not got? */
static bool is_ahead(const struct tcp_connection *c)
{
	return is_after(c->stream.outq_seq - c->unacked, c->peer->stream.inq_seq);
}

static int read_pair(struct tcp_connection *c, struct error *err)
{
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		struct timespec pause = { .tv_nsec = 500000 };

		if (i)
			(void)nanosleep(&pause, NULL);
		r = read_one(c, err);
		if (r == 0 && c->peer)
			r = read_one(c->peer, err);
		if (r == 0 && c->peer && (is_ahead(c) || is_ahead(c->peer)))
			r = err_set(err, -EAGAIN, "it does not come to rest");
	}
	return r < 0 ? err_wrap(err, r, "%s: TCP connection", c->where) : 0;
}

/* ---------------------------------------------------------------------- pairs */

static int by_tuple(const void *a, const void *b)
{
	return tcp_tuple_compare(&(*(struct tcp_connection *const *)a)->tuple,
				 &(*(struct tcp_connection *const *)b)->tuple);
}

static int refuse(const struct tcp_connection *c, struct error *err)
{
	char own[INET_NAME_MAX], peer[INET_NAME_MAX];
	const InetSkEntry *e = c->entry;
	int r = err_set(err, -EOPNOTSUPP,
			"%s: TCP connection from %s to %s: its other end is not in the tree, and "
			"this version can't save such",
			c->where, inet_name(e->family, e->src_addr, e->src_port, own),
			inet_name(e->family, e->dst_addr, e->dst_port, peer));

	err_hint(err, "--tcp-close on dump and restore closes it");
	return r;
}

/*
 * No task of the tree has the other end. Either it was closed or reset, which
 * this one will hear when it sends, or has heard; or nobody has accepted it yet;
 * or somebody outside has it.
 */
static int judge_single(struct dump *dump, struct tcp_connection *c, struct error *err)
{
	bool held = true;
	int r = inet_diag_peer_held(c->fd, c->where, c->entry, &held, err);

	if (r < 0)
		return r;
	if (!held)
		return 0;
	if (!dump->opts->tcp_skip_in_flight)
		return refuse(c, err);
	c->entry->state = TCP_STATE_CLOSE;
	c->entry->src_port = 0;
	c->entry->dst_port = 0;
	c->entry->has_shutdown = true;
	c->entry->shutdown = SK_SHUTDOWN__BOTH;
	return 0;
}

static int find_peers(struct dump *dump, struct error *err)
{
	cleanup_free struct tcp_connection **all = NULL;
	size_t n = 0;
	int r = 0;

	for (struct tcp_connection *c = dump->connections; c; c = c->next)
		n++;
	all = calloc(n + 1, sizeof(struct tcp_connection *));
	if (!all)
		return err_oom(err);
	n = 0;
	for (struct tcp_connection *c = dump->connections; c; c = c->next)
		all[n++] = c;
	qsort(all, n, sizeof(struct tcp_connection *), by_tuple);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct tcp_connection wanted = { .next = NULL };
		struct tcp_connection *key = &wanted;
		struct tcp_connection **found;

		if (tcp_is_over(all[i]->entry))
			continue;
		wanted.tuple = tcp_tuple_of_peer(all[i]->entry);
		found = bsearch(&key, all, n, sizeof(struct tcp_connection *), by_tuple);
		all[i]->peer = found && !tcp_is_over((*found)->entry) ? *found : NULL;
		if (!all[i]->peer)
			r = judge_single(dump, all[i], err);
	}
	return r;
}

/* Its stream is in the images. */
static bool is_kept(const struct tcp_connection *c)
{
	return tcp_is_open(c->entry->state) || tcp_is_over(c->entry);
}

static int write_one(struct dump *dump, const struct tcp_connection *c, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	FileEntry file = FILE_ENTRY__INIT;
	int r = 0;

	file.type = FD_TYPES__INETSK;
	file.id = c->entry->id;
	file.isk = c->entry;
	if (is_kept(c)) {
		r = dump_image_create(dump, &image, IMG_KIND_TCP_STREAM, c->entry->ino, err);
		if (r == 0)
			r = image_write(&image, &c->stream.base, err);
		if (r == 0 && c->stream.inq_len)
			r = image_write_raw(&image, c->received, c->stream.inq_len, err);
		if (r == 0 && c->stream.outq_len)
			r = image_write_raw(&image, c->sent, c->stream.outq_len, err);
		if (r == 0)
			r = image_finish(&image, err);
	}
	return r < 0 ? r : image_write(&dump->files, &file.base, err);
}

int tcp_finish(struct dump *dump, struct error *err)
{
	int r = dump->connections ? find_peers(dump, err) : 0;

	for (struct tcp_connection *c = dump->connections; c && r == 0; c = c->next) {
		/* Each pair once, by the one that comes first. */
		if (is_kept(c) && !c->stream.mss_clamp)
			r = read_pair(c, err);
	}
	for (struct tcp_connection *c = dump->connections; c && r == 0; c = c->next)
		r = write_one(dump, c, err);
	return r;
}
