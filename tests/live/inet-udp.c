/* UDP and UDP-Lite, bound and connected, IPv4 and IPv6, with options and multicast groups. */
#include "live.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define UDPLITE_RECV_CSCOV 11

static void set(int fd, int level, int name, int value)
{
	(void)SYS(setsockopt(fd, level, name, &value, sizeof(value)));
}

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	(void)SYS(getsockopt(fd, level, name, &value, &len));
	return value;
}

static int make(int family, int protocol, struct sockaddr_in6 *name)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool is4 = family == AF_INET;
	int fd = SYS(socket(family, SOCK_DGRAM, protocol));
	socklen_t len = sizeof(*name);

	(void)SYS(bind(fd, is4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		       is4 ? sizeof(v4) : sizeof(v6)));
	(void)SYS(getsockname(fd, (struct sockaddr *)name, &len));
	return fd;
}

static socklen_t size_of(const struct sockaddr_in6 *name)
{
	return name->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(*name);
}

static void say(int from, int to, const char *what)
{
	char text[64];
	ssize_t n;

	CHECK(send(from, what, strlen(what), 0) == (ssize_t)strlen(what), "send '%s': %s", what,
	      strerror(errno));
	n = recv(to, text, sizeof(text), 0);
	CHECK(n == (ssize_t)strlen(what) && !memcmp(text, what, (size_t)n), "'%.*s', not '%s'",
	      (int)n, text, what);
}

struct pair {
	int family;
	int protocol;
	int a, b;
	struct sockaddr_in6 a_name, b_name;
};

static void check_name(int fd, const struct sockaddr_in6 *want, bool peer)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof(name);

	(void)SYS((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&name, &len));
	CHECK(len == size_of(want) && !memcmp(&name, want, len), "%s: another address",
	      peer ? "peer" : "own");
}

int main(void)
{
	struct pair pairs[] = {
		{ AF_INET, IPPROTO_UDP },
		{ AF_INET6, IPPROTO_UDP },
		{ AF_INET, IPPROTO_UDPLITE },
		{ AF_INET6, IPPROTO_UDPLITE },
	};
	struct ip_mreqn join = { .imr_multiaddr.s_addr = htonl(0xe0010203),
				 .imr_ifindex = (int)if_nametoindex("lo") };
	struct ipv6_mreq join6 = { .ipv6mr_interface = if_nametoindex("lo") };
	struct group_source_req only = { .gsr_interface = if_nametoindex("lo") };
	struct sockaddr_in group = { .sin_family = AF_INET, .sin_addr = join.imr_multiaddr };
	struct sockaddr_in6 name;
	int loose = SYS(socket(AF_INET6, SOCK_DGRAM, 0));
	int shut;
	char c;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct pair *p = &pairs[i];

		p->a = make(p->family, p->protocol, &p->a_name);
		p->b = make(p->family, p->protocol, &p->b_name);
		(void)SYS(connect(p->a, (struct sockaddr *)&p->b_name, size_of(&p->b_name)));
		(void)SYS(connect(p->b, (struct sockaddr *)&p->a_name, size_of(&p->a_name)));
	}
	set(pairs[0].a, SOL_SOCKET, SO_BROADCAST, 1);
	set(pairs[0].a, SOL_IP, IP_TOS, 0x10);
	set(pairs[0].a, SOL_IP, IP_TTL, 9);
	set(pairs[0].a, SOL_IP, IP_RECVTTL, 1);
	set(pairs[0].a, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(pairs[0].a, IPPROTO_UDP, UDP_SEGMENT, 1000);
	set(pairs[1].a, SOL_IPV6, IPV6_TCLASS, 0x20);
	set(pairs[1].a, SOL_IPV6, IPV6_RECVPKTINFO, 1);
	set(pairs[1].a, SOL_IPV6, IPV6_UNICAST_HOPS, 11);
	set(pairs[2].a, IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV, 20);
	shut = make(AF_INET, IPPROTO_UDP, &name);
	(void)SYS(connect(shut, (struct sockaddr *)&pairs[0].a_name, size_of(&pairs[0].a_name)));
	(void)SYS(shutdown(shut, SHUT_WR));

	/* All of a group, one sender of another, and a group of IPv6. */
	(void)SYS(setsockopt(pairs[0].b, SOL_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)));
	group.sin_addr.s_addr = htonl(0xe8010203);
	memcpy(&only.gsr_group, &group, sizeof(group));
	group.sin_addr.s_addr = htonl(0x7f000009);
	memcpy(&only.gsr_source, &group, sizeof(group));
	(void)SYS(setsockopt(pairs[0].b, SOL_IP, MCAST_JOIN_SOURCE_GROUP, &only, sizeof(only)));
	(void)inet_pton(AF_INET6, "ff02::4711", &join6.ipv6mr_multiaddr);
	(void)SYS(setsockopt(loose, SOL_IPV6, IPV6_JOIN_GROUP, &join6, sizeof(join6)));

	live_freeze();
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct pair *p = &pairs[i];

		check_name(p->a, &p->a_name, false);
		check_name(p->a, &p->b_name, true);
		check_name(p->b, &p->b_name, false);
	}
	CHECK(get(pairs[0].a, SOL_SOCKET, SO_BROADCAST) == 1, "no broadcast");
	CHECK(get(pairs[0].a, SOL_IP, IP_TOS) == 0x10, "type of service");
	CHECK(get(pairs[0].a, SOL_IP, IP_TTL) == 9, "time to live");
	CHECK(get(pairs[0].a, SOL_IP, IP_RECVTTL) == 1, "receive time to live");
	CHECK(get(pairs[0].a, SOL_SOCKET, SO_TIMESTAMPNS) == 1, "time stamps");
	CHECK(get(pairs[0].a, IPPROTO_UDP, UDP_SEGMENT) == 1000, "segments");
	CHECK(get(pairs[1].a, SOL_IPV6, IPV6_TCLASS) == 0x20, "traffic class");
	CHECK(get(pairs[1].a, SOL_IPV6, IPV6_RECVPKTINFO) == 1, "packet info");
	CHECK(get(pairs[1].a, SOL_IPV6, IPV6_UNICAST_HOPS) == 11, "hops");
	CHECK(get(pairs[2].a, IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV) == 20, "checksum coverage");
	set(pairs[0].a, IPPROTO_UDP, UDP_SEGMENT, 0);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		say(pairs[i].a, pairs[i].b, "there");
		say(pairs[i].b, pairs[i].a, "and back");
	}
	CHECK(send(shut, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "it can write again");
	CHECK(recv(shut, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "it can't read any more");

	/* To leave what was never joined fails. */
	(void)SYS(setsockopt(pairs[0].b, SOL_IP, IP_DROP_MEMBERSHIP, &join, sizeof(join)));
	(void)SYS(setsockopt(pairs[0].b, SOL_IP, MCAST_LEAVE_SOURCE_GROUP, &only, sizeof(only)));
	(void)SYS(setsockopt(loose, SOL_IPV6, IPV6_LEAVE_GROUP, &join6, sizeof(join6)));
	live_pass();
}
