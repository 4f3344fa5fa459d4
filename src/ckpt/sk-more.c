#include "ckpt/sk-more.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "trace/area.h"
#include "trace/tape.h"

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

#define VALUE_MAX 2048
#define MORE_MAX 256 /* of one socket */

#define MSS_MAX 32767 /* that can be set */

#define SOL_UDP_ 17
#define SOL_TCP_ 6
#define SOL_UDPLITE_ 136

/*
 * By number, since each C library's headers lack some. `domain`: only sockets
 * of that one; 0: all that know the option. What has a field in CRIU's records
 * is not here; neither is what tells no setting (SO_ERROR, IP_MTU, TCP_INFO).
 */
static const struct option {
	int domain;
	int level;
	int name;
	unsigned int size; /* 0: up to VALUE_MAX bytes */
} options[] = {
	{ 0, SOL_SOCKET, 29, 4 },	    /* SO_TIMESTAMP */
	{ 0, SOL_SOCKET, 35, 4 },	    /* SO_TIMESTAMPNS */
	{ 0, SOL_SOCKET, 63, 4 },	    /* SO_TIMESTAMP_NEW */
	{ 0, SOL_SOCKET, 64, 4 },	    /* SO_TIMESTAMPNS_NEW */
	{ 0, SOL_SOCKET, 37, 8 },	    /* SO_TIMESTAMPING */
	{ 0, SOL_SOCKET, 40, 4 },	    /* SO_RXQ_OVFL */
	{ 0, SOL_SOCKET, 41, 4 },	    /* SO_WIFI_STATUS */
	{ 0, SOL_SOCKET, 42, 4 },	    /* SO_PEEK_OFF */
	{ 0, SOL_SOCKET, 43, 4 },	    /* SO_NOFCS */
	{ 0, SOL_SOCKET, 45, 4 },	    /* SO_SELECT_ERR_QUEUE */
	{ 0, SOL_SOCKET, 46, 4 },	    /* SO_BUSY_POLL */
	{ 0, SOL_SOCKET, 47, 8 },	    /* SO_MAX_PACING_RATE */
	{ 0, SOL_SOCKET, 60, 4 },	    /* SO_ZEROCOPY */
	{ 0, SOL_SOCKET, 61, 8 },	    /* SO_TXTIME */
	{ 0, SOL_SOCKET, 69, 4 },	    /* SO_PREFER_BUSY_POLL */
	{ 0, SOL_SOCKET, 73, 4 },	    /* SO_RESERVE_MEM */
	{ 0, SOL_SOCKET, 75, 4 },	    /* SO_RCVMARK */
	{ 0, SOL_SOCKET, 76, 4 },	    /* SO_PASSPIDFD */
	{ 0, SOL_SOCKET, 82, 4 },	    /* SO_RCVPRIORITY */
	{ 0, SOL_SOCKET, 83, 4 },	    /* SO_PASSRIGHTS */
	{ AF_INET6, SOL_IP, 1, 4 },	    /* IP_TOS */
	{ AF_INET6, SOL_IP, 2, 4 },	    /* IP_TTL */
	{ AF_INET6, SOL_IP, 8, 4 },	    /* IP_PKTINFO */
	{ 0, SOL_IP, 4, 0 },		    /* IP_OPTIONS */
	{ 0, SOL_IP, 6, 4 },		    /* IP_RECVOPTS */
	{ 0, SOL_IP, 7, 4 },		    /* IP_RETOPTS */
	{ 0, SOL_IP, 10, 4 },		    /* IP_MTU_DISCOVER */
	{ 0, SOL_IP, 11, 4 },		    /* IP_RECVERR */
	{ 0, SOL_IP, 12, 4 },		    /* IP_RECVTTL */
	{ 0, SOL_IP, 13, 4 },		    /* IP_RECVTOS */
	{ 0, SOL_IP, 18, 4 },		    /* IP_PASSSEC */
	{ 0, SOL_IP, 19, 4 },		    /* IP_TRANSPARENT */
	{ 0, SOL_IP, 20, 4 },		    /* IP_RECVORIGDSTADDR */
	{ 0, SOL_IP, 21, 4 },		    /* IP_MINTTL */
	{ 0, SOL_IP, 23, 4 },		    /* IP_CHECKSUM */
	{ 0, SOL_IP, 24, 4 },		    /* IP_BIND_ADDRESS_NO_PORT */
	{ 0, SOL_IP, 25, 4 },		    /* IP_RECVFRAGSIZE */
	{ 0, SOL_IP, 26, 4 },		    /* IP_RECVERR_RFC4884 */
	{ 0, SOL_IP, 32, 4 },		    /* IP_MULTICAST_IF */
	{ 0, SOL_IP, 33, 4 },		    /* IP_MULTICAST_TTL */
	{ 0, SOL_IP, 34, 4 },		    /* IP_MULTICAST_LOOP */
	{ 0, SOL_IP, 49, 4 },		    /* IP_MULTICAST_ALL */
	{ 0, SOL_IP, 50, 4 },		    /* IP_UNICAST_IF */
	{ 0, SOL_IP, 51, 4 },		    /* IP_LOCAL_PORT_RANGE */
	{ AF_INET6, SOL_IPV6, 2, 4 },	    /* IPV6_2292PKTINFO */
	{ AF_INET6, SOL_IPV6, 3, 4 },	    /* IPV6_2292HOPOPTS */
	{ AF_INET6, SOL_IPV6, 4, 4 },	    /* IPV6_2292DSTOPTS */
	{ AF_INET6, SOL_IPV6, 5, 4 },	    /* IPV6_2292RTHDR */
	{ AF_INET6, SOL_IPV6, 8, 4 },	    /* IPV6_2292HOPLIMIT */
	{ AF_INET6, SOL_IPV6, 7, 4 },	    /* IPV6_CHECKSUM */
	{ AF_INET6, SOL_IPV6, 11, 4 },	    /* IPV6_FLOWINFO */
	{ AF_INET6, SOL_IPV6, 16, 4 },	    /* IPV6_UNICAST_HOPS */
	{ AF_INET6, SOL_IPV6, 17, 4 },	    /* IPV6_MULTICAST_IF */
	{ AF_INET6, SOL_IPV6, 18, 4 },	    /* IPV6_MULTICAST_HOPS */
	{ AF_INET6, SOL_IPV6, 19, 4 },	    /* IPV6_MULTICAST_LOOP */
	{ AF_INET6, SOL_IPV6, 23, 4 },	    /* IPV6_MTU_DISCOVER */
	{ AF_INET6, SOL_IPV6, 25, 4 },	    /* IPV6_RECVERR */
	{ AF_INET6, SOL_IPV6, 29, 4 },	    /* IPV6_MULTICAST_ALL */
	{ AF_INET6, SOL_IPV6, 30, 4 },	    /* IPV6_ROUTER_ALERT_ISOLATE */
	{ AF_INET6, SOL_IPV6, 31, 4 },	    /* IPV6_RECVERR_RFC4884 */
	{ AF_INET6, SOL_IPV6, 33, 4 },	    /* IPV6_FLOWINFO_SEND */
	{ AF_INET6, SOL_IPV6, 51, 4 },	    /* IPV6_RECVHOPLIMIT */
	{ AF_INET6, SOL_IPV6, 53, 4 },	    /* IPV6_RECVHOPOPTS */
	{ AF_INET6, SOL_IPV6, 54, 0 },	    /* IPV6_HOPOPTS */
	{ AF_INET6, SOL_IPV6, 55, 0 },	    /* IPV6_RTHDRDSTOPTS */
	{ AF_INET6, SOL_IPV6, 56, 4 },	    /* IPV6_RECVRTHDR */
	{ AF_INET6, SOL_IPV6, 57, 0 },	    /* IPV6_RTHDR */
	{ AF_INET6, SOL_IPV6, 58, 4 },	    /* IPV6_RECVDSTOPTS */
	{ AF_INET6, SOL_IPV6, 59, 0 },	    /* IPV6_DSTOPTS */
	{ AF_INET6, SOL_IPV6, 60, 4 },	    /* IPV6_RECVPATHMTU */
	{ AF_INET6, SOL_IPV6, 62, 4 },	    /* IPV6_DONTFRAG */
	{ AF_INET6, SOL_IPV6, 66, 4 },	    /* IPV6_RECVTCLASS */
	{ AF_INET6, SOL_IPV6, 67, 4 },	    /* IPV6_TCLASS */
	{ AF_INET6, SOL_IPV6, 70, 4 },	    /* IPV6_AUTOFLOWLABEL */
	{ AF_INET6, SOL_IPV6, 72, 4 },	    /* IPV6_ADDR_PREFERENCES */
	{ AF_INET6, SOL_IPV6, 73, 4 },	    /* IPV6_MINHOPCOUNT */
	{ AF_INET6, SOL_IPV6, 74, 4 },	    /* IPV6_RECVORIGDSTADDR */
	{ AF_INET6, SOL_IPV6, 75, 4 },	    /* IPV6_TRANSPARENT */
	{ AF_INET6, SOL_IPV6, 76, 4 },	    /* IPV6_UNICAST_IF */
	{ AF_INET6, SOL_IPV6, 77, 4 },	    /* IPV6_RECVFRAGSIZE */
	{ 0, SOL_TCP_, 2, 4 },		    /* TCP_MAXSEG */
	{ 0, SOL_TCP_, 7, 4 },		    /* TCP_SYNCNT */
	{ 0, SOL_TCP_, 8, 4 },		    /* TCP_LINGER2 */
	{ 0, SOL_TCP_, 9, 4 },		    /* TCP_DEFER_ACCEPT */
	{ 0, SOL_TCP_, 10, 4 },		    /* TCP_WINDOW_CLAMP */
	{ 0, SOL_TCP_, 13, 0 },		    /* TCP_CONGESTION */
	{ 0, SOL_TCP_, 16, 4 },		    /* TCP_THIN_LINEAR_TIMEOUTS */
	{ 0, SOL_TCP_, 18, 4 },		    /* TCP_USER_TIMEOUT */
	{ 0, SOL_TCP_, 23, 4 },		    /* TCP_FASTOPEN */
	{ 0, SOL_TCP_, 25, 4 },		    /* TCP_NOTSENT_LOWAT */
	{ 0, SOL_TCP_, 27, 4 },		    /* TCP_SAVE_SYN */
	{ 0, SOL_TCP_, 30, 4 },		    /* TCP_FASTOPEN_CONNECT */
	{ 0, SOL_TCP_, 33, 0 },		    /* TCP_FASTOPEN_KEY */
	{ 0, SOL_TCP_, 34, 4 },		    /* TCP_FASTOPEN_NO_COOKIE */
	{ 0, SOL_TCP_, 36, 4 },		    /* TCP_INQ */
	{ 0, SOL_TCP_, 37, 4 },		    /* TCP_TX_DELAY */
	{ 0, SOL_UDP_, 1, 4 },		    /* UDP_CORK */
	{ 0, SOL_UDP_, 100, 4 },	    /* UDP_ENCAP */
	{ 0, SOL_UDP_, 101, 4 },	    /* UDP_NO_CHECK6_TX */
	{ 0, SOL_UDP_, 102, 4 },	    /* UDP_NO_CHECK6_RX */
	{ 0, SOL_UDP_, 103, 4 },	    /* UDP_SEGMENT */
	{ 0, SOL_UDP_, 104, 4 },	    /* UDP_GRO */
	{ 0, SOL_UDPLITE_, 10, 4 },	    /* UDPLITE_SEND_CSCOV */
	{ 0, SOL_UDPLITE_, 11, 4 },	    /* UDPLITE_RECV_CSCOV */
	{ AF_NETLINK, SOL_NETLINK, 3, 4 },  /* NETLINK_PKTINFO */
	{ AF_NETLINK, SOL_NETLINK, 4, 4 },  /* NETLINK_BROADCAST_ERROR */
	{ AF_NETLINK, SOL_NETLINK, 5, 4 },  /* NETLINK_NO_ENOBUFS */
	{ AF_NETLINK, SOL_NETLINK, 8, 4 },  /* NETLINK_LISTEN_ALL_NSID */
	{ AF_NETLINK, SOL_NETLINK, 10, 4 }, /* NETLINK_CAP_ACK */
	{ AF_NETLINK, SOL_NETLINK, 11, 4 }, /* NETLINK_EXT_ACK */
	{ AF_NETLINK, SOL_NETLINK, 12, 4 }, /* NETLINK_GET_STRICT_CHK */
};

#define FRESH_MAX 64 /* bytes of a new socket's option; longer ones have no default */

/* A new socket to compare with. */
struct sk_reference {
	struct sk_reference *next;
	struct fresh {
		bool asked;
		bool known; /* sockets of its sort have the option */
		socklen_t len;
		char value[FRESH_MAX];
	} fresh[ARRAY_SIZE(options)];
	int domain;
	int type;
	int protocol;
	uint64_t netns;
	int fd;
};

static int get_int(int fd, int name, int *ret, const char *where, struct error *err)
{
	socklen_t len = sizeof(*ret);

	if (getsockopt(fd, SOL_SOCKET, name, ret, &len) < 0)
		return err_sys(err, "%s: socket option %d", where, name);
	return 0;
}

/* A socket belongs to the network namespace it was made in. */
static int make_there(int like, const struct sk_reference *wanted, const char *where, int *ret_fd,
		      struct error *err)
{
	cleanup_fd int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cleanup_fd int there = ioctl(like, SIOCGSKNS);
	cleanup_fd int fd = -EBADF;
	struct stat st;
	bool other;

	if (home < 0 || there < 0 || fstat(home, &st) < 0)
		return err_sys(err, "%s: network namespace of the socket", where);
	other = st.st_ino != wanted->netns;
	if (other && setns(there, CLONE_NEWNET) < 0)
		return err_sys(err, "%s: enter the socket's network namespace", where);
	fd = socket(wanted->domain, wanted->type | SOCK_CLOEXEC, wanted->protocol);
	if (other && setns(home, CLONE_NEWNET) < 0)
		return err_sys(err, "return to our own network namespace");
	/* Some sorts need rights that nobody here has: nothing can be compared then. */
	*ret_fd = fd >= 0 ? take_fd(&fd) : -EBADF;
	return 0;
}

static int reference_for(struct dump *dump, int fd, const char *where, struct sk_reference **ret,
			 struct error *err)
{
	struct sk_reference wanted = { .fd = -EBADF };
	cleanup_fd int netns = ioctl(fd, SIOCGSKNS);
	struct sk_reference *made;
	struct stat st;
	int r;

	if (netns < 0 || fstat(netns, &st) < 0)
		return err_sys(err, "%s: network namespace of the socket", where);
	wanted.netns = st.st_ino;
	r = get_int(fd, SO_DOMAIN, &wanted.domain, where, err);
	if (r == 0)
		r = get_int(fd, SO_TYPE, &wanted.type, where, err);
	if (r == 0)
		r = get_int(fd, SO_PROTOCOL, &wanted.protocol, where, err);
	if (r < 0)
		return r;
	for (struct sk_reference *p = dump->sk_references; p; p = p->next) {
		if (p->domain == wanted.domain && p->type == wanted.type &&
		    p->protocol == wanted.protocol && p->netns == wanted.netns) {
			*ret = p;
			return 0;
		}
	}
	r = make_there(fd, &wanted, where, &wanted.fd, err);
	if (r < 0)
		return r;
	made = arena_new(&dump->arena, struct sk_reference);
	if (!made) {
		if (wanted.fd >= 0)
			(void)close(wanted.fd);
		return err_oom(err);
	}
	*made = wanted;
	made->next = dump->sk_references;
	dump->sk_references = made;
	*ret = made;
	return 0;
}

struct sk_cache *sk_cache(struct dump *dump)
{
	if (dump->sk_cache)
		return dump->sk_cache;
	dump->sk_cache = arena_new(&dump->arena, struct sk_cache);
	return dump->sk_cache;
}

void sk_more_done(struct dump *dump)
{
	if (dump->sk_cache) {
		free(dump->sk_cache->groups4);
		free(dump->sk_cache->groups6);
		dump->sk_cache = NULL;
	}
	for (struct sk_reference *p = dump->sk_references; p; p = p->next)
		if (p->fd >= 0)
			(void)close(p->fd);
	dump->sk_references = NULL;
}

int sk_more_add(struct dump *dump, SkOptsEntry *opts, int level, int name, const void *value,
		size_t len, struct error *err)
{
	SkOptionEntry *entry = arena_new(&dump->arena, SkOptionEntry);
	SkOptionEntry **list = opts->more;

	if (!list)
		list = arena_new_array(&dump->arena, SkOptionEntry *, MORE_MAX);
	if (!entry || !list)
		return err_oom(err);
	if (opts->n_more == MORE_MAX)
		return err_set(err, -E2BIG, "a socket with more than %d options", MORE_MAX);
	sk_option_entry__init(entry);
	entry->level = level;
	entry->name = name;
	entry->value.data = arena_memdup(&dump->arena, value, len);
	entry->value.len = len;
	if (!entry->value.data)
		return err_oom(err);
	list[opts->n_more++] = entry;
	opts->more = list;
	return 0;
}

/* What the kernel has found out for a connection, and options that streams have no use for:
 * accepted connections inherit odd values of those. */
static bool is_state(const struct option *o, int type, bool connected)
{
	if (type != SOCK_STREAM)
		return false;
	if (o->level == SOL_TCP_)
		return connected && (o->name == TCP_WINDOW_CLAMP || o->name == TCP_MAXSEG);
	return (o->level == SOL_IP && o->name >= IP_MULTICAST_IF && o->name <= IP_MULTICAST_ALL) ||
	       (o->level == SOL_IPV6 && o->name >= IPV6_MULTICAST_IF &&
		o->name <= IPV6_MULTICAST_LOOP);
}

static bool is_for(const struct option *o, int domain)
{
	return o->domain ? o->domain == domain
			 : o->level == SOL_SOCKET || domain == AF_INET || domain == AF_INET6;
}

/* Without a new socket all that is not zero is kept. */
static void ask_fresh(struct sk_reference *reference, size_t i)
{
	struct fresh *fresh = &reference->fresh[i];
	const struct option *o = &options[i];

	if (fresh->asked)
		return;
	fresh->asked = true;
	fresh->len = o->size ? o->size : sizeof(fresh->value);
	fresh->known = reference->fd < 0 ||
		       getsockopt(reference->fd, o->level, o->name, fresh->value, &fresh->len) == 0;
}

/* Or has been: unlike getpeername(2) this also tells of those that are closed again. */
static bool is_connected(int fd)
{
	char peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &peer, &len) == 0;
}

int sk_more_dump(struct dump *dump, int fd, const char *where, SkOptsEntry *opts, struct error *err)
{
	struct sk_reference *reference = NULL;
	bool connected;
	int r = reference_for(dump, fd, where, &reference, err);

	if (r < 0)
		return r;
	connected = is_connected(fd);
	for (size_t i = 0; i < ARRAY_SIZE(options) && r == 0; i++) {
		const struct option *o = &options[i];
		const struct fresh *fresh = &reference->fresh[i];
		_Alignas(uint32_t) char value[VALUE_MAX];
		socklen_t len = o->size ? o->size : sizeof(value);

		if (!is_for(o, reference->domain) || is_state(o, reference->type, connected))
			continue;
		ask_fresh(reference, i);
		/* Not of this sort of socket, or not in this kernel. */
		if (!fresh->known || getsockopt(fd, o->level, o->name, value, &len) < 0)
			continue;
		if (len == fresh->len && !memcmp(value, fresh->value, len))
			continue;
		/* Of a connection that is over the size it had: nobody has set that. */
		if (o->level == SOL_TCP_ && o->name == TCP_MAXSEG && *(uint32_t *)value > MSS_MAX)
			continue;
		r = sk_more_add(dump, opts, o->level, o->name, value, len, err);
	}
	return r < 0 ? err_wrap(err, r, "%s", where) : 0;
}

void sk_more_tape(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts,
		  bool socket_level)
{
	for (size_t i = 0; i < opts->n_more; i++) {
		const SkOptionEntry *e = opts->more[i];

		if (socket_level != (e->level == SOL_SOCKET))
			continue;
		tape_call(tape, SYS_setsockopt,
			  TAPE_ARGS(tape_imm((uint64_t)staging), tape_imm((uint64_t)e->level),
				    tape_imm((uint64_t)e->name),
				    tape_at(area_add(area, e->value.data, e->value.len)),
				    tape_imm(e->value.len)),
			  "socket option %d of level %d", e->name, e->level);
	}
}
