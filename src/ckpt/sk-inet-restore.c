/*
 * sk-inet-restore: all internet sockets of the tree at once, in rounds.
 *
 * Who may share an address with whom depends on who is there already: so all
 * are bound before any of them listens, all with SO_REUSEADDR, which those that
 * did not have it lose again at the end. SO_REUSEPORT is another matter: it
 * makes sockets of one port share what comes in, so only those have it that had.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scan.h"
#include "ckpt/file-restore.h"
#include "ckpt/netns.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sk-inet.h"
#include "ckpt/sk-netns.h"
#include "ckpt/sk-opts.h"
#include "ckpt/sk-tcp.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct inet {
	struct restore *r;
	struct tape *tape;
	uint8_t *
		shared; /* bit of each port that a socket with SO_REUSEPORT has: TCP, then others */
};

#define PORTS ((size_t)UINT16_MAX + 1)

static const char *protocol_name(const InetSkEntry *e)
{
	if (e->type == SOCK_RAW)
		return "raw";
	switch (e->proto) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_MPTCP:
		return "MPTCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_UDPLITE:
		return "UDP-Lite";
	default:
		return "ping";
	}
}

static bool is_ping(const InetSkEntry *e)
{
	return e->type == SOCK_DGRAM && (e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6);
}

static bool is_connection(const InetSkEntry *e)
{
	return e->type == SOCK_STREAM && e->state != TCP_LISTEN && e->state != TCP_CLOSE;
}

/* Nobody has answered yet: it is opened anew. */
static bool is_opening(const InetSkEntry *e)
{
	return is_connection(e) && e->state == TCP_SYN_SENT;
}

static bool is_zero(const uint32_t *address, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (address[i])
			return false;
	return true;
}

/*
 * All sockets of such a port have had SO_REUSEPORT when they were bound, even those that
 * have lost it since.
 */
static bool shares_port(const struct inet *all, const InetSkEntry *e)
{
	size_t bit = (e->type == SOCK_STREAM ? 0 : PORTS) + e->src_port;

	return (e->opts->has_so_reuseport && e->opts->so_reuseport) ||
	       (e->src_port && (all->shared[bit / 8] >> bit % 8 & 1));
}

static void note_port(const struct inet *all, const struct rfile *file)
{
	const InetSkEntry *e = file->entry->isk;
	size_t bit = (e->type == SOCK_STREAM ? 0 : PORTS) + e->src_port;

	if (e->src_port < PORTS && e->opts->has_so_reuseport && e->opts->so_reuseport)
		all->shared[bit / 8] |= (uint8_t)(1 << bit % 8);
}

/* ---------------------------------------------------------------------- checks */

static int check(const struct inet *all, const InetSkEntry *e, struct error *err)
{
	size_t n = e->family == AF_INET ? 1 : 4;
	char own[INET_NAME_MAX], peer[INET_NAME_MAX];
	int ret;

	if ((e->family != AF_INET && e->family != AF_INET6) || e->n_src_addr < n ||
	    e->n_dst_addr < n || e->src_port > UINT16_MAX || e->dst_port > UINT16_MAX)
		return err_set(err, -EBADMSG, "files.img: internet socket %u has a bad address",
			       e->id);
	if (e->type != SOCK_STREAM && e->type != SOCK_DGRAM && e->type != SOCK_RAW)
		return err_set(err, -EBADMSG, "files.img: internet socket %u is of type %u", e->id,
			       e->type);
	ret = sk_netns_check(all->r, e->id, e->has_ns_id ? e->ns_id : 0, err);
	if (ret < 0)
		return ret;
	if (!is_connection(e) || all->r->opts->tcp_close)
		return 0;
	if (all->r->opts->tcp_established && (tcp_is_open(e->state) || is_opening(e)))
		return 0;
	ret = err_set(err, -EINVAL, "TCP connection from %s to %s %s",
		      inet_name(e->family, e->src_addr, e->src_port, own),
		      inet_name(e->family, e->dst_addr, e->dst_port, peer),
		      tcp_is_open(e->state) ? "was open" : "was being opened");
	err_hint(err, "--tcp-established restores it, --tcp-close closes it");
	return ret;
}

/* ---------------------------------------------------------------------- making */

static struct tape_arg fd_of(const struct rfile *file)
{
	return tape_imm((uint64_t)file->staging);
}

static void tape_set(const struct inet *all, const struct rfile *file, int level, int name,
		     const void *value, size_t len, const char *what)
{
	tape_call(all->tape, SYS_setsockopt,
		  TAPE_ARGS(fd_of(file), tape_imm((uint64_t)level), tape_imm((uint64_t)name),
			    tape_at(area_add(&all->r->area, value, len)), tape_imm(len)),
		  "%s of socket %u", what, file->entry->id);
}

static void tape_int(const struct inet *all, const struct rfile *file, int level, int name,
		     int value, const char *what)
{
	tape_set(all, file, level, name, &value, sizeof(value), what);
}

/* struct sockaddr in the area; returns its length. */
static size_t put_address(const struct inet *all, const InetSkEntry *e, const uint32_t *address,
			  uint32_t port, uint64_t *ret_at)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	if (e->family == AF_INET) {
		memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
		*ret_at = area_add(&all->r->area, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	*ret_at = area_add(&all->r->area, &v6, sizeof(v6));
	return sizeof(v6);
}

/* The kernel gives ping sockets to certain groups only; the first of them. */
static gid_t ping_group(const struct restore *r)
{
	cleanup_free char *text = NULL;
	const NetnsEntry *conf = netns_conf_of(r);
	const char *p = NULL;
	uint32_t group = 0;
	size_t len;

	if (conf && conf->n_ipv4_sysctl && conf->ipv4_sysctl[0]->sarg)
		p = conf->ipv4_sysctl[0]->sarg;
	else if (!r->netns && file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", 64,
					   &text, &len, NULL) == 0)
		p = text;
	return p && scan_u32(&p, 10, &group) ? group : 0;
}

static void tape_group(const struct inet *all, const struct rfile *file, gid_t group)
{
	tape_call(all->tape, SYS_setresgid,
		  TAPE_ARGS(tape_imm(~0u), tape_imm(group), tape_imm(~0u)),
		  "group that may make ping socket %u", file->entry->id);
}

static int make(const struct inet *all, struct rfile *file, struct error *err)
{
	const InetSkEntry *e = file->entry->isk;
	gid_t group = is_ping(e) ? ping_group(all->r) : 0;
	uint32_t slot;
	int ret;

	if (group)
		tape_group(all, file, group);
	slot = tape_call(all->tape, SYS_socket,
			 TAPE_ARGS(tape_imm(e->family), tape_imm(e->type | SOCK_CLOEXEC),
				   tape_imm(e->proto)),
			 "making %s socket %u", protocol_name(e), file->entry->id);
	if (group)
		tape_group(all, file, 0);
	ret = rfile_stage(all->r, all->tape, file, slot, err);
	if (ret < 0)
		return ret;
	if (e->has_v6only && e->type != SOCK_RAW)
		tape_int(all, file, SOL_IPV6, IPV6_V6ONLY, e->v6only, "IPv6 only");
	tape_int(all, file, SOL_SOCKET, SO_REUSEADDR, 1, "address reuse");
	if (shares_port(all, e))
		tape_int(all, file, SOL_SOCKET, SO_REUSEPORT, 1, "port reuse");
	if (e->ip_opts && e->ip_opts->has_freebind)
		tape_int(all, file, e->family == AF_INET ? SOL_IP : SOL_IPV6,
			 e->family == AF_INET ? IP_FREEBIND : IPV6_FREEBIND, e->ip_opts->freebind,
			 "free bind");
	/* CRIU names the device of a link-local address here. */
	if (e->ifname && !e->opts->so_bound_dev)
		tape_set(all, file, SOL_SOCKET, SO_BINDTODEVICE, e->ifname, strlen(e->ifname) + 1,
			 "device");
	sk_opts_tape_early(&all->r->area, all->tape, file->staging, e->opts);
	return 0;
}

static void bind_socket(const struct inet *all, const struct rfile *file)
{
	const InetSkEntry *e = file->entry->isk;
	size_t n = e->family == AF_INET ? 1 : 4;
	bool wanted = e->type == SOCK_RAW ? !is_zero(e->src_addr, n) : e->src_port != 0;
	char name[INET_NAME_MAX];
	uint64_t at;
	size_t len;

	if (!wanted || (is_connection(e) && !is_opening(e)) || tcp_is_over(e))
		return;
	len = put_address(all, e, e->src_addr, e->src_port, &at);
	tape_call(all->tape, SYS_bind, TAPE_ARGS(fd_of(file), tape_at(at), tape_imm(len)),
		  "binding %s socket %u to %s", protocol_name(e), file->entry->id,
		  inet_name(e->family, e->src_addr, e->src_port, name));
}

static void listen_or_connect(const struct inet *all, const struct rfile *file)
{
	const InetSkEntry *e = file->entry->isk;
	size_t n = e->family == AF_INET ? 1 : 4;
	char name[INET_NAME_MAX];
	uint32_t entry;
	uint64_t at;
	size_t len;

	if (e->state == TCP_LISTEN)
		tape_call(all->tape, SYS_listen, TAPE_ARGS(fd_of(file), tape_imm(e->backlog)),
			  "listening at %s with %s socket %u",
			  inet_name(e->family, e->src_addr, e->src_port, name), protocol_name(e),
			  file->entry->id);
	if ((e->type == SOCK_STREAM && (!is_opening(e) || all->r->opts->tcp_close)) ||
	    (!e->dst_port && is_zero(e->dst_addr, n)))
		return;
	if (is_opening(e))
		tape_call(all->tape, SYS_fcntl,
			  TAPE_ARGS(fd_of(file), tape_imm(F_SETFL), tape_imm(O_NONBLOCK)),
			  "not waiting for socket %u", file->entry->id);
	len = put_address(all, e, e->dst_addr, e->dst_port, &at);
	entry = tape_call(all->tape, SYS_connect,
			  TAPE_ARGS(fd_of(file), tape_at(at), tape_imm(len)),
			  "connecting %s socket %u to %s", protocol_name(e), file->entry->id,
			  inet_name(e->family, e->dst_addr, e->dst_port, name));
	if (is_opening(e))
		tape_expect(all->tape, entry, PIE_RULE_OK_OR, EINPROGRESS);
}

/* --------------------------------------------------------------------- settings */

static void set_ip(const struct inet *all, const struct rfile *file)
{
	const InetSkEntry *e = file->entry->isk;
	const IpOptsEntry *ip = e->ip_opts;
	bool v4 = e->family == AF_INET;

	if (!ip)
		return;
	if (ip->has_pktinfo && ip->pktinfo)
		tape_int(all, file, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1,
			 "packet info");
	if (v4 && ip->has_tos)
		tape_int(all, file, SOL_IP, IP_TOS, (int)ip->tos, "type of service");
	if (v4 && ip->has_ttl)
		tape_int(all, file, SOL_IP, IP_TTL, (int)ip->ttl, "time to live");
	if (!ip->raw || e->type != SOCK_RAW)
		return;
	if (v4 && ip->raw->has_nodefrag && ip->raw->nodefrag)
		tape_int(all, file, SOL_IP, IP_NODEFRAG, 1, "fragments as they come");
	if (ip->raw->has_hdrincl)
		tape_int(all, file, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_HDRINCL : IPV6_HDRINCL,
			 ip->raw->hdrincl, "own headers");
	if (ip->raw->n_icmpv_filter)
		tape_set(all, file, v4 ? SOL_RAW : SOL_ICMPV6, 1, ip->raw->icmpv_filter,
			 ip->raw->n_icmpv_filter * sizeof(uint32_t), "ICMP filter");
}

static void set_tcp(const struct inet *all, const struct rfile *file)
{
	const TcpOptsEntry *tcp = file->entry->isk->tcp_opts;
	const SkOptsEntry *old = file->entry->isk->opts; /* where older images have them */
	const struct {
		bool has;
		uint32_t value;
		int name;
	} numbers[] = {
		{ old->has_tcp_keepcnt, old->tcp_keepcnt, TCP_KEEPCNT },
		{ old->has_tcp_keepidle, old->tcp_keepidle, TCP_KEEPIDLE },
		{ old->has_tcp_keepintvl, old->tcp_keepintvl, TCP_KEEPINTVL },
		{ tcp && tcp->has_keepcnt, tcp ? tcp->keepcnt : 0, TCP_KEEPCNT },
		{ tcp && tcp->has_keepidle, tcp ? tcp->keepidle : 0, TCP_KEEPIDLE },
		{ tcp && tcp->has_keepintvl, tcp ? tcp->keepintvl : 0, TCP_KEEPINTVL },
		{ tcp && tcp->has_nodelay, tcp && tcp->nodelay, TCP_NODELAY },
		{ tcp && tcp->has_cork, tcp && tcp->cork, TCP_CORK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].has)
			tape_int(all, file, SOL_TCP, numbers[i].name, (int)numbers[i].value,
				 "TCP option");
}

/* Also of sockets that are not connected: the kernel says so, and does it. */
static void shut_down(const struct inet *all, const struct rfile *file, uint32_t bits)
{
	uint32_t entry =
		tape_call(all->tape, SYS_shutdown, TAPE_ARGS(fd_of(file), tape_imm(bits - 1)),
			  "shutting down socket %u", file->entry->id);

	tape_expect(all->tape, entry, PIE_RULE_OK_OR, ENOTCONN);
}

static void finish(const struct inet *all, const struct rfile *file)
{
	const InetSkEntry *e = file->entry->isk;
	uint32_t flags = e->flags & (O_NONBLOCK | O_ASYNC);

	set_ip(all, file);
	if (e->type == SOCK_STREAM)
		set_tcp(all, file);
	sk_opts_tape(&all->r->area, all->tape, file->staging, e->opts);
	if (!e->opts->has_reuseaddr || !e->opts->reuseaddr)
		tape_int(all, file, SOL_SOCKET, SO_REUSEADDR, 0, "address reuse");
	if (shares_port(all, e) && !e->opts->so_reuseport)
		tape_int(all, file, SOL_SOCKET, SO_REUSEPORT, 0, "port reuse");
	if (is_connection(e) && all->r->opts->tcp_close)
		shut_down(all, file, SHUT_RDWR + 1);
	else if (e->has_shutdown && e->shutdown && e->state != TCP_LISTEN && !is_connection(e))
		shut_down(all, file, e->shutdown & 3);
	if (flags || is_opening(e))
		tape_call(all->tape, SYS_fcntl,
			  TAPE_ARGS(fd_of(file), tape_imm(F_SETFL), tape_imm(flags)),
			  "flags of socket %u", file->entry->id);
}

static void round_of(const struct inet *all,
		     void (*step)(const struct inet *all, const struct rfile *file))
{
	for (size_t i = 0; i < all->r->n_files; i++) {
		const struct rfile *file = &all->r->files[i];

		if (file->entry->type == FD_TYPES__INETSK && file->entry->isk)
			step(all, file);
	}
}

int inet_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	cleanup_free uint8_t *shared = calloc(2, PORTS / 8);
	const struct inet all = { .r = r, .tape = tape, .shared = shared };
	int ret = 0;

	if (!file->entry->isk)
		return err_set(err, -EBADMSG, "files.img: internet socket %u has no record",
			       file->entry->id);
	if (!shared)
		return err_oom(err);
	round_of(&all, note_port);
	for (size_t i = 0; i < r->n_files; i++) {
		struct rfile *f = &r->files[i];

		if (f->entry->type != FD_TYPES__INETSK || !f->entry->isk)
			continue;
		f->planned = true;
		ret = check(&all, f->entry->isk, err);
		if (ret >= 0)
			ret = make(&all, f, err);
		if (ret < 0)
			return ret;
	}
	round_of(&all, bind_socket);
	round_of(&all, listen_or_connect);
	if (!r->opts->tcp_close)
		ret = tcp_tape(r, tape, err);
	round_of(&all, finish);
	return ret < 0 ? ret : 0;
}
