/*
 * sk-tcp-restore: connections are put together in repair mode, where nothing
 * is sent: addresses, numbers, options, what was received, what was sent and not
 * acknowledged, windows. When all ends are there they leave that mode; what was
 * not sent yet is sent, and where an end had been closed it is closed
 * again: the FIN goes its way as it did before.
 *
 * An end whose peer had been closed altogether gets that FIN from a socket that
 * takes the peer's place for a moment.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sk-inet.h"
#include "ckpt/sk-tcp.h"
#include "img/image.h"
#include "img/pb/tcp-stream.pb-c.h"

#ifndef TCP_REPAIR_OFF_NO_WP
#define TCP_REPAIR_OFF_NO_WP -1
#endif

#define PIECE ((uint32_t)16 << 10) /* fits into one of the kernel's buffers */
#define QUEUE_MAX ((uint32_t)512 << 20)

struct connection {
	const InetSkEntry *e; /* of the socket, or of the one it stands in for a peer of */
	const struct connection *stand_in; /* for the peer of that one; NULL: it is itself */
	int staging;
	TcpStreamEntry *s;
	uint64_t received; /* area */
	uint64_t sent;
	struct tcp_tuple tuple;
};

struct tcp {
	struct restore *r;
	struct tape *tape;
	struct connection *v;
	size_t n;
};

/* -------------------------------------------------------------------- loading */

static int load_queue(struct tcp *all, struct image *image, uint32_t len, uint64_t *ret_at,
		      struct error *err)
{
	void *data;

	if (!len)
		return 0;
	if (len > QUEUE_MAX)
		return err_set(err, -EBADMSG, "%s: a queue of %u bytes", image->name, len);
	*ret_at = area_alloc(&all->r->area, len, 8);
	data = area_data(&all->r->area, *ret_at);
	return data ? image_read_raw(image, data, len, err) : err_oom(err);
}

static int load(struct tcp *all, struct connection *c, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int r = image_open(&image, all->r->opts->images_dir, IMG_KIND_TCP_STREAM, c->e->ino, err);

	if (r < 0)
		return r;
	r = image_read(&image, &all->r->arena, &c->s, err);
	if (r == 0)
		r = err_set(err, -EBADMSG, "%s: it is empty", image.name);
	if (r < 0)
		return r;
	if (!c->s->has_unsq_len || c->s->unsq_len > c->s->outq_len)
		return err_set(err, -EBADMSG, "%s: strange lengths of its queues", image.name);
	r = load_queue(all, &image, c->s->inq_len, &c->received, err);
	return r < 0 ? r : load_queue(all, &image, c->s->outq_len, &c->sent, err);
}

static int by_tuple(const void *a, const void *b)
{
	return tcp_tuple_compare(&((const struct connection *)a)->tuple,
				 &((const struct connection *)b)->tuple);
}

/* What its peer was when it had sent its FIN, as far as it can be known from here. */
static int add_stand_in(struct tcp *all, const struct connection *of, struct connection *ret,
			struct error *err)
{
	TcpStreamEntry *s = arena_new(&all->r->arena, TcpStreamEntry);

	if (!s)
		return err_oom(err);
	tcp_stream_entry__init(s);
	s->inq_seq = of->s->outq_seq - (tcp_sent_fin(of->e->state) ? 1 : 0) - of->s->unsq_len;
	s->outq_seq = of->s->inq_seq - (tcp_got_fin(of->e->state) ? 1 : 0);
	s->opt_mask = of->s->opt_mask;
	s->snd_wscale = of->s->rcv_wscale;
	s->has_rcv_wscale = of->s->has_rcv_wscale;
	s->rcv_wscale = of->s->snd_wscale;
	s->has_timestamp = of->s->has_timestamp;
	s->timestamp = of->s->timestamp;
	s->mss_clamp = of->s->mss_clamp;
	s->has_unsq_len = true;
	*ret = (struct connection){ .e = of->e, .stand_in = of, .s = s };
	ret->staging = fd_stage(all->r, err);
	return ret->staging < 0 ? ret->staging : 0;
}

static int add_stand_ins(struct tcp *all, struct error *err)
{
	size_t n = all->n;

	qsort(all->v, n, sizeof(*all->v), by_tuple);
	for (size_t i = 0; i < n; i++) {
		struct connection wanted = { .tuple = tcp_tuple_of_peer(all->v[i].e) };
		const struct connection *peer;
		int r;

		if (!tcp_got_fin(all->v[i].e->state) && !tcp_is_over(all->v[i].e))
			continue;
		peer = bsearch(&wanted, all->v, n, sizeof(*all->v), by_tuple);
		if (peer && !tcp_is_over(peer->e) && !tcp_is_over(all->v[i].e))
			continue;
		r = add_stand_in(all, &all->v[i], &all->v[all->n], err);
		if (r < 0)
			return r;
		all->n++;
	}
	return 0;
}

static int load_all(struct tcp *all, struct error *err)
{
	struct restore *r = all->r;
	size_t n = 0;

	for (size_t i = 0; i < r->n_files; i++)
		n += r->files[i].entry->type == FD_TYPES__INETSK;
	all->v = calloc(2 * n + 1, sizeof(*all->v));
	if (!all->v)
		return err_oom(err);
	for (size_t i = 0; i < r->n_files; i++) {
		const InetSkEntry *e = r->files[i].entry->isk;
		struct connection *c = &all->v[all->n];
		int ret;

		if (r->files[i].entry->type != FD_TYPES__INETSK || !e || e->type != SOCK_STREAM ||
		    !(tcp_is_open(e->state) || tcp_is_over(e)))
			continue;
		*c = (struct connection){ .e = e,
					  .staging = r->files[i].staging,
					  .tuple = tcp_tuple_of(e) };
		ret = load(all, c, err);
		if (ret == -ENOENT && tcp_is_over(e))
			continue; /* one that is no more than closed */
		if (ret < 0)
			return ret;
		all->n++;
	}
	return add_stand_ins(all, err);
}

/* -------------------------------------------------------------------- building */

static struct tape_arg fd_of(const struct connection *c)
{
	return tape_imm((uint64_t)c->staging);
}

static void tape_set(const struct tcp *all, const struct connection *c, int level, int name,
		     const void *value, size_t len, const char *what)
{
	tape_call(all->tape, SYS_setsockopt,
		  TAPE_ARGS(fd_of(c), tape_imm((uint64_t)level), tape_imm((uint64_t)name),
			    tape_at(area_add(&all->r->area, value, len)), tape_imm(len)),
		  "%s of TCP connection %u", what, c->e->id);
}

static void tape_int(const struct tcp *all, const struct connection *c, int level, int name,
		     int value, const char *what)
{
	tape_set(all, c, level, name, &value, sizeof(value), what);
}

static size_t put_address(const struct tcp *all, const InetSkEntry *e, bool own, uint64_t *ret_at)
{
	const uint32_t *address = own ? e->src_addr : e->dst_addr;
	uint16_t port = htons((uint16_t)(own ? e->src_port : e->dst_port));
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };

	if (e->family == AF_INET) {
		memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
		*ret_at = area_add(&all->r->area, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	*ret_at = area_add(&all->r->area, &v6, sizeof(v6));
	return sizeof(v6);
}

static void tape_address(const struct tcp *all, const struct connection *c, bool own)
{
	const InetSkEntry *e = c->e;
	char name[INET_NAME_MAX];
	bool src = own == !c->stand_in;
	uint64_t at;
	size_t len = put_address(all, e, src, &at);

	(void)inet_name(e->family, src ? e->src_addr : e->dst_addr, src ? e->src_port : e->dst_port,
			name);
	tape_call(all->tape, own ? SYS_bind : SYS_connect,
		  TAPE_ARGS(fd_of(c), tape_at(at), tape_imm(len)), "%s TCP connection %u to %s",
		  own ? "binding" : "connecting", e->id, name);
}

static void tape_seq(const struct tcp *all, const struct connection *c, int queue, uint32_t seq)
{
	tape_int(all, c, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue, "queue");
	tape_int(all, c, IPPROTO_TCP, TCP_QUEUE_SEQ, (int)seq, "sequence number");
}

static void tape_options(const struct tcp *all, const struct connection *c)
{
	const TcpStreamEntry *s = c->s;
	struct tcp_repair_opt options[4];
	size_t n = 0;

	/* Numbers of the options in a TCP header: segment size, window scale, SACK, time stamps. */
	options[n++] = (struct tcp_repair_opt){ 2, s->mss_clamp };
	if (s->opt_mask & TCPI_OPT_WSCALE)
		options[n++] = (struct tcp_repair_opt){ 3, s->snd_wscale | s->rcv_wscale << 16 };
	if (s->opt_mask & TCPI_OPT_SACK)
		options[n++] = (struct tcp_repair_opt){ 4, 0 };
	if (s->opt_mask & TCPI_OPT_TIMESTAMPS)
		options[n++] = (struct tcp_repair_opt){ 8, 0 };
	tape_set(all, c, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, n * sizeof(*options), "options");
	if (s->opt_mask & TCPI_OPT_TIMESTAMPS && s->has_timestamp)
		tape_int(all, c, IPPROTO_TCP, TCP_TIMESTAMP, (int)s->timestamp, "time stamp");
}

static void tape_data(const struct tcp *all, const struct connection *c, uint64_t at, uint32_t len)
{
	for (uint32_t done = 0; done < len;) {
		uint32_t piece = len - done < PIECE ? len - done : PIECE;
		uint32_t entry =
			tape_call(all->tape, SYS_sendto,
				  TAPE_ARGS(fd_of(c), tape_at(at + done), tape_imm(piece),
					    tape_imm(MSG_DONTWAIT | MSG_NOSIGNAL)),
				  "%u bytes in a queue of TCP connection %u", piece, c->e->id);

		tape_expect(all->tape, entry, PIE_RULE_EQUAL, piece);
		done += piece;
	}
}

static void tape_window(const struct tcp *all, const struct connection *c)
{
	const TcpStreamEntry *s = c->s;
	uint32_t fin = tcp_got_fin(c->e->state);
	struct tcp_repair_window window = {
		.snd_wl1 = s->snd_wl1,
		.snd_wnd = s->snd_wnd,
		.max_window = s->max_window,
		.rcv_wnd = s->rcv_wnd + fin,
		.rcv_wup = s->rcv_wup - fin,
	};

	if (s->has_snd_wl1 && s->has_rcv_wup)
		tape_set(all, c, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window), "window");
}

/*
 * Room for all that lies in its queues; the true sizes are set at the end. In a
 * user namespace nobody may go beyond the system's limit: more than that fails below.
 */
static void tape_room(const struct tcp *all, const struct connection *c, int name, int force,
		      uint32_t len)
{
	int room = (int)(2 * len + (1 << 18));

	if (!len)
		return;
	tape_int(all, c, SOL_SOCKET, name, room, "room");
	tape_int(all, c, SOL_SOCKET, force, room, "room");
	tape_expect(all->tape, (uint32_t)(all->tape->n - 1), PIE_RULE_OK_OR, EPERM);
}

static void build(const struct tcp *all, const struct connection *c)
{
	const TcpStreamEntry *s = c->s;
	uint32_t got = !c->stand_in && tcp_got_fin(c->e->state);
	uint32_t sent = !c->stand_in && tcp_sent_fin(c->e->state);

	if (c->stand_in) {
		uint32_t slot = tape_call(
			all->tape, SYS_socket,
			TAPE_ARGS(tape_imm(c->e->family), tape_imm(SOCK_STREAM | SOCK_CLOEXEC),
				  tape_imm(IPPROTO_TCP)),
			"making a socket in the place of TCP connection %u's peer", c->e->id);

		fd_tape_stage(all->tape, slot, c->staging);
	}
	tape_int(all, c, IPPROTO_TCP, TCP_REPAIR, 1, "repair mode");
	tape_room(all, c, SO_SNDBUF, SO_SNDBUFFORCE, s->outq_len);
	tape_room(all, c, SO_RCVBUF, SO_RCVBUFFORCE, s->inq_len);
	tape_address(all, c, true);
	tape_seq(all, c, TCP_RECV_QUEUE, s->inq_seq - got - s->inq_len);
	tape_seq(all, c, TCP_SEND_QUEUE, s->outq_seq - sent - s->outq_len);
	tape_address(all, c, false);
	tape_options(all, c);
	if (s->inq_len) {
		tape_int(all, c, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE, "queue");
		tape_data(all, c, c->received, s->inq_len);
	}
	if (s->outq_len > s->unsq_len) {
		tape_int(all, c, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE, "queue");
		tape_data(all, c, c->sent, s->outq_len - s->unsq_len);
	}
	tape_window(all, c);
}

/* A probe makes the other end say what it has got: what it has not is sent again. */
static void leave_repair(const struct tcp *all, const struct connection *c)
{
	tape_int(all, c, IPPROTO_TCP, TCP_REPAIR, 0, "end of repair mode");
}

static void send_unsent(const struct tcp *all, const struct connection *c)
{
	if (c->s->unsq_len)
		tape_data(all, c, c->sent + c->s->outq_len - c->s->unsq_len, c->s->unsq_len);
}

static void send_fin(const struct tcp *all, const struct connection *c)
{
	if (c->stand_in)
		tape_call(all->tape, SYS_close, TAPE_ARGS(fd_of(c)),
			  "closing the peer of TCP connection %u", c->e->id);
	else if (tcp_sent_fin(c->e->state))
		tape_call(all->tape, SYS_shutdown, TAPE_ARGS(fd_of(c), tape_imm(SHUT_WR)),
			  "closing TCP connection %u for writing", c->e->id);
}

/*
 * A connection that is over is made, reset by its stand-in, and forgets that it
 * was a reset. One after the other: another may have had the same names.
 */
static void end_over(const struct tcp *all, const struct connection *stand_in)
{
	const struct linger reset = { .l_onoff = 1 };
	uint64_t word = area_alloc(&all->r->area, 8, 8);
	uint64_t size = area_alloc(&all->r->area, 8, 8);
	const struct connection *c = stand_in->stand_in;

	build(all, c);
	build(all, stand_in);
	leave_repair(all, c);
	leave_repair(all, stand_in);
	tape_set(all, stand_in, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset), "reset");
	tape_call(all->tape, SYS_close, TAPE_ARGS(fd_of(stand_in)), "resetting TCP connection %u",
		  c->e->id);
	tape_op(all->tape, PIE_OP_STORE32, TAPE_ARGS(tape_at(size), tape_imm(4)),
		"error of TCP connection %u", c->e->id);
	tape_call(all->tape, SYS_getsockopt,
		  TAPE_ARGS(fd_of(c), tape_imm(SOL_SOCKET), tape_imm(SO_ERROR), tape_at(word),
			    tape_at(size)),
		  "error of TCP connection %u", c->e->id);
}

int tcp_tape(struct restore *r, struct tape *tape, struct error *err)
{
	static void (*const rounds[])(const struct tcp *, const struct connection *) = {
		build,
		leave_repair,
		send_unsent,
		send_fin,
	};
	struct tcp all = { .r = r, .tape = tape };
	int ret = load_all(&all, err);

	for (size_t i = 0; i < all.n && ret >= 0; i++)
		if (all.v[i].stand_in && tcp_is_over(all.v[i].e))
			end_over(&all, &all.v[i]);
	for (size_t round = 0; round < ARRAY_SIZE(rounds) && ret >= 0; round++)
		for (size_t i = 0; i < all.n; i++)
			if (!tcp_is_over(all.v[i].e))
				rounds[round](&all, &all.v[i]);
	free(all.v);
	return ret;
}
