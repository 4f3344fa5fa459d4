/*
 * sk-inet-dump: what getsockopt(2) and the addresses tell of a socket, which is
 * all but three things: how UDP is shut down and who a raw socket is connected
 * to (sock_diag(7), /proc/net/raw), and what waits in it.
 *
 * Datagrams that wait are lost, as the network may lose any. TCP connections
 * that nobody has accepted yet can't be kept.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/icmp.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/inet-diag.h"
#include "ckpt/sk-inet.h"
#include "ckpt/sk-more.h"
#include "ckpt/sk-netns.h"
#include "ckpt/sk-opts.h"
#include "ckpt/sk-tcp.h"
#include "img/image.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define UDP_CORK_ 1

const char *inet_name(uint32_t family, const void *address, uint32_t port, char name[INET_NAME_MAX])
{
	char text[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(family == AF_INET ? AF_INET : AF_INET6, address, text, sizeof(text));
	(void)snprintf(name, INET_NAME_MAX, family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
	return name;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static uint32_t port_of(const union address *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

static const void *bytes_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? (const void *)&a->v4.sin_addr : &a->v6.sin6_addr;
}

/* On its way, or over: its peer is none, but has a name. */
static bool has_half_peer(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) == 0 &&
	       (info.tcpi_state == TCP_SYN_SENT || info.tcpi_state == TCP_CLOSE);
}

static int get_names(int fd, const char *where, union address *ret_own, union address *ret_peer,
		     struct error *err)
{
	socklen_t len = sizeof(*ret_own);

	memset(ret_own, 0, sizeof(*ret_own));
	memset(ret_peer, 0, sizeof(*ret_peer));
	if (getsockname(fd, &ret_own->any, &len) < 0)
		return err_sys(err, "%s: address of the socket", where);
	len = sizeof(*ret_peer);
	if (getpeername(fd, &ret_peer->any, &len) < 0) {
		if (errno != ENOTCONN)
			return err_sys(err, "%s: address of the socket's peer", where);
		/* Which does not take more room than it needs. */
		len = ret_own->any.sa_family == AF_INET ? sizeof(ret_own->v4) : sizeof(ret_own->v6);
		if (has_half_peer(fd))
			(void)getsockopt(fd, SOL_SOCKET, SO_PEERNAME, ret_peer, &len);
	}
	ret_peer->any.sa_family = ret_own->any.sa_family;
	return 0;
}

static int get_option(int fd, const char *where, int level, int name, void *value, socklen_t len,
		      struct error *err)
{
	if (getsockopt(fd, level, name, value, &len) < 0)
		return err_sys(err, "%s: socket option %d of level %d", where, name, level);
	return 0;
}

/* ------------------------------------------------------------- what can't be */

static bool is_connected(uint32_t state)
{
	return state != TCP_CLOSE && state != TCP_LISTEN;
}

static int refuse_connected(const struct fd_look *look, int protocol, uint32_t state,
			    struct error *err)
{
	char own_name[INET_NAME_MAX], peer_name[INET_NAME_MAX];
	union address own, peer;
	int r = get_names(look->fd, look->where, &own, &peer, err);

	if (r < 0)
		return r;
	r = err_set(err, -EOPNOTSUPP, "%s: %s connection from %s to %s%s", look->where,
		    protocol == IPPROTO_MPTCP ? "MPTCP" : "TCP",
		    inet_name(own.any.sa_family, bytes_of(&own), port_of(&own), own_name),
		    inet_name(own.any.sa_family, bytes_of(&peer), port_of(&peer), peer_name),
		    protocol == IPPROTO_MPTCP ? ": the kernel does not tell its state"
		    : tcp_is_open(state)      ? " is open"
					      : " is being opened");
	if (protocol == IPPROTO_MPTCP)
		err_hint(err, "make the program use TCP (Go: GODEBUG=multipathtcp=0)");
	else
		err_hint(err, "--tcp-established keeps it (on dump and restore), --tcp-close "
			      "closes it");
	return r;
}

static int check_stream(const struct cryo_dump_opts *opts, const struct fd_look *look, int protocol,
			struct error *err)
{
	struct tcp_info info = { 0 };
	char ulp[16] = "";
	socklen_t len = sizeof(ulp);
	int r;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return err_set(err, -EOPNOTSUPP,
			       "%s: socket of protocol %d: of the streams only TCP can be saved",
			       look->where, protocol);
	r = get_option(look->fd, look->where, SOL_TCP, TCP_INFO, &info, sizeof(info), err);
	if (r < 0)
		return r;
	if (protocol == IPPROTO_TCP && !opts->tcp_close &&
	    getsockopt(look->fd, SOL_TCP, TCP_ULP, ulp, &len) == 0 && ulp[0])
		return err_set(err, -EOPNOTSUPP,
			       "%s: TCP socket: the kernel speaks '%.*s' for it, whose state it "
			       "does not tell",
			       look->where, (int)sizeof(ulp), ulp);
	if (!is_connected(info.tcpi_state) ||
	    (protocol == IPPROTO_TCP &&
	     (opts->tcp_close || (opts->tcp_established && info.tcpi_state != TCP_SYN_RECV))))
		return 0;
	return refuse_connected(look, protocol, info.tcpi_state, err);
}

int inet_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err)
{
	int type = 0;
	int protocol = 0;
	int r = get_option(look->fd, look->where, SOL_SOCKET, SO_TYPE, &type, sizeof(type), err);

	if (r == 0)
		r = get_option(look->fd, look->where, SOL_SOCKET, SO_PROTOCOL, &protocol,
			       sizeof(protocol), err);
	if (r < 0)
		return r;
	switch (type) {
	case SOCK_STREAM:
		return check_stream(opts, look, protocol, err);
	case SOCK_RAW:
		return 0;
	case SOCK_DGRAM:
		if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
		    protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
			return 0;
		break;
	default:
		break;
	}
	return err_set(err, -EOPNOTSUPP,
		       "%s: socket of type %d, protocol %d: sockets of that sort can't be saved",
		       look->where, type, protocol);
}

/* ---------------------------------------------------------------------- parts */

struct record {
	InetSkEntry entry;
	SkOptsEntry opts;
	FownEntry fown;
	IpOptsEntry ip;
	IpOptsRawEntry raw;
	TcpOptsEntry tcp;
	uint32_t own[4];
	uint32_t peer[4];
	uint32_t filter[8]; /* struct icmp6_filter */
};

static void fill_addresses(struct record *record, const union address *own,
			   const union address *peer)
{
	InetSkEntry *e = &record->entry;
	size_t n = e->family == AF_INET ? 1 : 4;

	memcpy(record->own, bytes_of(own), n * sizeof(uint32_t));
	memcpy(record->peer, bytes_of(peer), n * sizeof(uint32_t));
	e->src_addr = record->own;
	e->n_src_addr = n;
	e->dst_addr = record->peer;
	e->n_dst_addr = n;
	e->src_port = port_of(own);
	e->dst_port = port_of(peer);
}

static bool get_switch(int fd, int level, int name, protobuf_c_boolean *value)
{
	int v = 0;
	socklen_t len = sizeof(v);

	*value = getsockopt(fd, level, name, &v, &len) == 0 && v;
	return *value;
}

static bool get_number(int fd, int level, int name, uint32_t *value)
{
	int v = 0;
	socklen_t len = sizeof(v);

	*value = getsockopt(fd, level, name, &v, &len) == 0 && v > 0 ? (uint32_t)v : 0;
	return *value != 0;
}

static void fill_ip(int fd, struct record *record)
{
	IpOptsEntry *ip = &record->ip;

	if (record->entry.family == AF_INET6) {
		protobuf_c_boolean v6only;

		(void)get_switch(fd, SOL_IPV6, IPV6_V6ONLY, &v6only);
		record->entry.has_v6only = true;
		record->entry.v6only = v6only;
		ip->has_freebind = get_switch(fd, SOL_IPV6, IPV6_FREEBIND, &ip->freebind);
		ip->has_pktinfo = get_switch(fd, SOL_IPV6, IPV6_RECVPKTINFO, &ip->pktinfo);
	} else {
		ip->has_freebind = get_switch(fd, SOL_IP, IP_FREEBIND, &ip->freebind);
		ip->has_pktinfo = get_switch(fd, SOL_IP, IP_PKTINFO, &ip->pktinfo);
		ip->has_tos = get_number(fd, SOL_IP, IP_TOS, &ip->tos);
		ip->has_ttl = get_number(fd, SOL_IP, IP_TTL, &ip->ttl);
	}
	record->entry.ip_opts = ip;
}

static void fill_raw(int fd, struct record *record)
{
	IpOptsRawEntry *raw = &record->raw;
	bool v6 = record->entry.family == AF_INET6;
	socklen_t len = v6 ? sizeof(record->filter) : sizeof(uint32_t);

	if (v6) {
		raw->has_hdrincl = get_switch(fd, SOL_IPV6, IPV6_HDRINCL, &raw->hdrincl);
	} else {
		raw->has_hdrincl = get_switch(fd, SOL_IP, IP_HDRINCL, &raw->hdrincl);
		raw->has_nodefrag = get_switch(fd, SOL_IP, IP_NODEFRAG, &raw->nodefrag);
	}
	if (record->entry.proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) &&
	    getsockopt(fd, v6 ? SOL_ICMPV6 : SOL_RAW, ICMP_FILTER, record->filter, &len) == 0) {
		raw->icmpv_filter = record->filter;
		raw->n_icmpv_filter = len / sizeof(uint32_t);
	}
	record->ip.raw = raw;
}

static void fill_tcp(int fd, struct record *record)
{
	TcpOptsEntry *tcp = &record->tcp;

	tcp->has_cork = get_switch(fd, SOL_TCP, TCP_CORK, &tcp->cork);
	tcp->has_nodelay = get_switch(fd, SOL_TCP, TCP_NODELAY, &tcp->nodelay);
	tcp->has_keepcnt = get_number(fd, SOL_TCP, TCP_KEEPCNT, &tcp->keepcnt);
	tcp->has_keepidle = get_number(fd, SOL_TCP, TCP_KEEPIDLE, &tcp->keepidle);
	tcp->has_keepintvl = get_number(fd, SOL_TCP, TCP_KEEPINTVL, &tcp->keepintvl);
	record->entry.tcp_opts = tcp;
}

static void set_shutdown(struct record *record, uint32_t bits)
{
	record->entry.has_shutdown = bits != 0;
	record->entry.shutdown = (SkShutdown)bits; /* RCV_SHUTDOWN, SEND_SHUTDOWN: the same */
}

static int fill_stream(struct dump *dump, const struct dump_fd *fd, struct record *record,
		       struct error *err)
{
	struct pollfd look = { .fd = fd->fd, .events = POLLRDHUP };
	InetSkEntry *e = &record->entry;
	struct tcp_info info = { 0 };
	int r = get_option(fd->fd, fd->look.where, SOL_TCP, TCP_INFO, &info, sizeof(info), err);

	if (r < 0)
		return r;
	e->state = info.tcpi_state;
	if (e->state == TCP_LISTEN) {
		char name[INET_NAME_MAX];

		/* Of a listening socket these two are its queue. */
		e->backlog = info.tcpi_sacked;
		if (!info.tcpi_unacked || dump->opts->tcp_skip_in_flight || dump->opts->tcp_close)
			return 0;
		r = err_set(err, -EOPNOTSUPP,
			    "%s: socket listening at %s: %u connections wait to be accepted",
			    fd->look.where, inet_name(e->family, record->own, e->src_port, name),
			    info.tcpi_unacked);
		err_hint(err, "try again, or let them be dropped with --skip-in-flight");
		return r;
	}
	/* Not connected any more, and its reader would see the end. */
	if (e->state == TCP_CLOSE && poll(&look, 1, 0) == 1 && look.revents & POLLRDHUP)
		set_shutdown(record, SK_SHUTDOWN__READ);
	return 0;
}

static int fill_datagram(struct dump *dump, const struct dump_fd *fd, struct record *record,
			 struct error *err)
{
	InetSkEntry *e = &record->entry;
	protobuf_c_boolean cork = false;
	int bytes = 0;
	uint32_t bits = 0;
	int r;

	e->state = e->dst_port ? TCP_ESTABLISHED : TCP_CLOSE;
	if (e->proto != IPPROTO_UDP && e->proto != IPPROTO_UDPLITE)
		return 0;
	if (get_switch(fd->fd, IPPROTO_UDP, UDP_CORK_, &cork) &&
	    ioctl(fd->fd, SIOCOUTQ, &bytes) == 0 && bytes)
		return err_set(err, -EOPNOTSUPP,
			       "%s: socket: a datagram is being put together in it (UDP_CORK)",
			       fd->look.where);
	if (ioctl(fd->fd, SIOCINQ, &bytes) == 0 && bytes)
		log_warn("%s: UDP socket: datagrams that wait in it are not saved", fd->look.where);
	r = inet_diag_shutdown(dump, fd->fd, fd->look.where, e, &bits, err);
	set_shutdown(record, bits);
	return r;
}

static int fill_connection(struct dump *dump, const struct dump_fd *fd, struct record *record,
			   struct error *err)
{
	InetSkEntry *e = &record->entry;

	if (e->type == SOCK_STREAM)
		return fill_stream(dump, fd, record, err);
	if (e->type == SOCK_DGRAM)
		return fill_datagram(dump, fd, record, err);
	e->state = TCP_CLOSE;
	return inet_raw_peer(dump, e->ino, e->family, record->peer, &e->state, err);
}

/* Which device a link-local address belongs to: an address alone does not say. */
static int fill_device(struct dump *dump, const union address *own, InetSkEntry *e)
{
	if (own->any.sa_family == AF_INET6 && own->v6.sin6_scope_id && e->opts->so_bound_dev)
		e->ifname = arena_strdup(&dump->arena, e->opts->so_bound_dev);
	return arena_ok(&dump->arena) ? 0 : -ENOMEM;
}

static int begin_record(struct dump *dump, const struct dump_fd *fd, struct record *record,
			struct error *err)
{
	const char *where = fd->look.where;
	InetSkEntry *e = &record->entry;
	int r;

	inet_sk_entry__init(e);
	sk_opts_entry__init(&record->opts);
	ip_opts_entry__init(&record->ip);
	ip_opts_raw_entry__init(&record->raw);
	tcp_opts_entry__init(&record->tcp);
	e->id = fd->id;
	e->ino = (uint32_t)fd->look.st.st_ino;
	e->family = (uint32_t)fd->look.domain;
	e->flags = fd->flags;
	record->fown = fd->fown;
	e->fown = &record->fown;
	e->opts = &record->opts;
	e->has_ns_id = dump->ns[DUMP_NS_NET].other;
	r = sk_netns_id(dump, fd->fd, where, &e->ns_id, err);
	if (r == 0)
		r = get_option(fd->fd, where, SOL_SOCKET, SO_TYPE, &e->type, sizeof(e->type), err);
	if (r == 0)
		r = get_option(fd->fd, where, SOL_SOCKET, SO_PROTOCOL, &e->proto, sizeof(e->proto),
			       err);
	return r;
}

int inet_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	const char *where = fd->look.where;
	FileEntry file = FILE_ENTRY__INIT;
	struct record *record = arena_new(&dump->arena, struct record);
	InetSkEntry *e;
	union address own, peer;
	int r;

	if (!record)
		return err_oom(err);
	e = &record->entry;
	r = begin_record(dump, fd, record, err);

	if (r == 0)
		r = get_names(fd->fd, where, &own, &peer, err);
	if (r < 0)
		return r;
	fill_addresses(record, &own, &peer);
	r = fill_connection(dump, fd, record, err);
	if (r == 0)
		r = sk_opts_dump(dump, fd->fd, where, &record->opts, err);
	if (r == 0 && e->type != SOCK_STREAM)
		r = sk_groups_dump(dump, fd->fd, where, &record->opts, err);
	if (r == 0)
		r = fill_device(dump, &own, e);
	if (r < 0)
		return r;
	fill_ip(fd->fd, record);
	if (e->type == SOCK_RAW)
		fill_raw(fd->fd, record);
	if (e->type == SOCK_STREAM)
		fill_tcp(fd->fd, record);
	if (e->type == SOCK_STREAM && (tcp_is_open(e->state) || tcp_is_over(e)) &&
	    !dump->opts->tcp_close)
		return tcp_dump(dump, fd->fd, where, e, err);
	file.type = FD_TYPES__INETSK;
	file.id = fd->id;
	file.isk = e;
	return image_write(&dump->files, &file.base, err);
}
