#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/netlink.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/inet-diag.h"
#include "ckpt/sk-more.h"
#include "ckpt/sk-tcp.h"

#define RAW_LIST_MAX ((size_t)16 << 20)

/* ------------------------------------------------------------------- shutdown */

/* A UDP socket that is shut down: there are few. */
struct sk_half {
	struct sk_half *next;
	uint64_t cookie;
	uint32_t bits;
};

static int take(void *arg, const struct nlmsghdr *message, struct error *err)
{
	const struct inet_diag_msg *body = mnl_nlmsg_get_payload(message);
	struct dump *dump = arg;
	const struct nlattr *attr;
	struct sk_half *half;
	uint32_t bits = 0;

	netlink_each_attr(attr, message, sizeof(*body))
	{
		if (mnl_attr_get_type(attr) == INET_DIAG_SHUTDOWN)
			bits = mnl_attr_get_u8(attr) & 3;
	}
	if (!bits)
		return 0;
	half = arena_new(&dump->arena, struct sk_half);
	if (!half)
		return err_oom(err);
	half->cookie = body->id.idiag_cookie[0] | (uint64_t)body->id.idiag_cookie[1] << 32;
	half->bits = bits;
	half->next = dump->sk_cache->halves;
	dump->sk_cache->halves = half;
	return 0;
}

/* All of them at once: each question walks the same table in the kernel. */
static int ask_all(struct dump *dump, int fd, uint8_t family, uint8_t protocol, struct error *err)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	struct nlmsghdr *request;
	struct inet_diag_req_v2 *body;
	int r = netlink_open_like(&nl, NETLINK_SOCK_DIAG, fd, err);

	if (r < 0)
		return r;
	request = netlink_request(&nl, SOCK_DIAG_BY_FAMILY, 0);
	body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	body->sdiag_family = family;
	body->sdiag_protocol = protocol;
	body->idiag_states = ~0u;
	r = netlink_dump(&nl, request, take, dump, err);
	return r == -ENOENT ? 0 : r; /* the kernel does not tell of them */
}

/*
 * Whether reading is shut down can be seen by poll(2), and so can both. A
 * socket that is shut down for writing only looks like any other: that
 * can only be where there was somebody to write to.
 */
int inet_diag_shutdown(struct dump *dump, int fd, const char *where, const InetSkEntry *entry,
		       uint32_t *ret_bits, struct error *err)
{
	unsigned int kind = 1u << ((entry->family == AF_INET6 ? 2 : 0) +
				   (entry->proto == IPPROTO_UDPLITE ? 1 : 0));
	struct pollfd look = { .fd = fd, .events = POLLRDHUP };
	struct sk_cache *cache = sk_cache(dump);
	socklen_t len = sizeof(uint64_t);
	uint64_t cookie = 0;
	int r = 0;

	if (!cache)
		return err_oom(err);
	(void)poll(&look, 1, 0);
	*ret_bits = (look.revents & POLLHUP) ? 3 : (look.revents & POLLRDHUP) ? 1 : 0;
	if (!*ret_bits && !entry->dst_port)
		return 0;
	if (!(cache->asked & kind))
		r = ask_all(dump, fd, (uint8_t)entry->family, (uint8_t)entry->proto, err);
	if (r < 0)
		return err_wrap(err, r, "%s: state of the socket", where);
	cache->asked |= kind;
	if (!cache->halves)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		return err_sys(err, "%s: cookie of the socket", where);
	for (const struct sk_half *h = cache->halves; h; h = h->next)
		if (h->cookie == cookie)
			*ret_bits = h->bits;
	return 0;
}

/* ------------------------------------------------------------------ TCP peers */

struct holder {
	struct tcp_tuple wanted;
	bool found;
	bool held;
};

static int take_holder(void *arg, const struct nlmsghdr *message, struct error *err UNUSED)
{
	const struct inet_diag_msg *body = mnl_nlmsg_get_payload(message);
	struct holder *holder = arg;
	InetSkEntry entry = INET_SK_ENTRY__INIT;
	struct tcp_tuple tuple;

	entry.family = body->idiag_family;
	entry.src_addr = (uint32_t *)body->id.idiag_src;
	entry.dst_addr = (uint32_t *)body->id.idiag_dst;
	entry.src_port = ntohs(body->id.idiag_sport);
	entry.dst_port = ntohs(body->id.idiag_dport);
	tuple = tcp_tuple_of(&entry);
	if (tcp_tuple_compare(&tuple, &holder->wanted) != 0)
		return 0;
	holder->found = true;
	holder->held = body->idiag_inode != 0;
	return 0;
}

static bool is_local(const struct tcp_tuple *tuple)
{
	static const unsigned char loopback6[16] = { [15] = 1 };

	return !memcmp(tuple->own, tuple->peer, sizeof(tuple->own)) || tuple->own[12] == 127 ||
	       !memcmp(tuple->own, loopback6, sizeof(loopback6));
}

int inet_diag_peer_held(int fd, const char *where, const InetSkEntry *entry, bool *ret_held,
			struct error *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct holder holder = { .wanted = tcp_tuple_of_peer(entry) };
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	int r = netlink_open_like(&nl, NETLINK_SOCK_DIAG, fd, err);

	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++) {
		struct nlmsghdr *request = netlink_request(&nl, SOCK_DIAG_BY_FAMILY, 0);
		struct inet_diag_req_v2 *body = mnl_nlmsg_put_extra_header(request, sizeof(*body));

		body->sdiag_family = families[i];
		body->sdiag_protocol = IPPROTO_TCP;
		body->idiag_states = ~0u;
		body->id.idiag_sport = htons((uint16_t)entry->dst_port);
		body->id.idiag_dport = htons((uint16_t)entry->src_port);
		r = netlink_dump(&nl, request, take_holder, &holder, err);
	}
	if (r < 0)
		return err_wrap(err, r, "%s: the other end of the connection", where);
	*ret_held = holder.found ? holder.held : !is_local(&holder.wanted);
	return 0;
}

/* ------------------------------------------------------------------ raw peers */

/* "  1: 0100007F:0001 0200007F:0000 01 00000000:00000000 00:00000000 00000000     0        0 4711
 * ..." */
static bool parse_raw(const char *line, uint32_t ino, size_t words, uint32_t peer[4],
		      uint32_t *ret_state)
{
	uint32_t state, number;
	const char *p = line;

	scan_blanks(&p);
	p += strcspn(p, " \n");
	scan_blanks(&p);
	p += strcspn(p, " \n"); /* own address */
	scan_blanks(&p);
	for (size_t i = 0; i < words; i++) {
		char digits[9] = "";
		const char *d = digits;

		if (strnlen(p, 8) < 8)
			return false;
		memcpy(digits, p, 8);
		if (!scan_u32(&d, 16, &peer[i]))
			return false;
		p += 8;
	}
	p += strcspn(p, " \n"); /* port */
	scan_blanks(&p);
	if (!scan_u32(&p, 16, &state))
		return false;
	/* Queues, timer, retransmissions, user, timeout. */
	for (int i = 0; i < 5; i++) {
		scan_blanks(&p);
		p += strcspn(p, " \n");
	}
	scan_blanks(&p);
	*ret_state = state;
	return scan_u32(&p, 10, &number) && number == ino;
}

int inet_raw_peer(struct dump *dump, uint32_t ino, uint32_t family, uint32_t peer[4],
		  uint32_t *ret_state, struct error *err)
{
	cleanup_free char *text = NULL;
	char path[64];
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/net/%s", dump->opts->pid,
		       family == AF_INET ? "raw" : "raw6");
	r = file_read_at(AT_FDCWD, path, RAW_LIST_MAX, &text, &len, err);
	if (r < 0)
		return r;
	for (const char *p = text; *p; p = scan_next_line(p)) {
		uint32_t found[4] = { 0 };
		uint32_t state = 0;

		if (!parse_raw(p, ino, family == AF_INET ? 1 : 4, found, &state))
			continue;
		if (state == TCP_ESTABLISHED)
			memcpy(peer, found, sizeof(found));
		*ret_state = state;
		return 0;
	}
	return 0;
}
