/* Raw and ping sockets: protocols, addresses, peers, filters. */
#include "live.h"

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#define ICMP_FILTER_ 1

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	(void)SYS(getsockopt(fd, level, name, &value, &len));
	return value;
}

/* Something to be heard: an echo request to ourselves from another socket. */
static void ping(int from)
{
	struct icmphdr echo = { .type = ICMP_ECHO, .checksum = 0xfff7 };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	CHECK(sendto(from, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) ==
		      sizeof(echo),
	      "send: %s", strerror(errno));
}

static uint8_t hear(int fd)
{
	unsigned char packet[128];
	struct pollfd look = { .fd = fd, .events = POLLIN };

	CHECK(poll(&look, 1, 5000) == 1, "nothing is heard");
	CHECK(recv(fd, packet, sizeof(packet), 0) >= 28, "recv: %s", strerror(errno));
	return packet[20];
}

int main(void)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct icmp_filter { uint32_t data; } filter = { ~(1u << ICMP_ECHOREPLY) };
	struct sockaddr_in name;
	struct sockaddr_in6 name6;
	socklen_t len = sizeof(name);
	int icmp = SYS(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	int plain = SYS(socket(AF_INET, SOCK_RAW, 200));
	int own_header = SYS(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
	int six = SYS(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	uint32_t filter6[8] = { 5, 6, 7 };
	uint32_t got6[8];

	(void)SYS(setsockopt(icmp, SOL_RAW, ICMP_FILTER_, &filter, sizeof(filter)));
	(void)SYS(bind(icmp, (struct sockaddr *)&own, sizeof(own)));
	own.sin_addr.s_addr = htonl(0x7f000002);
	(void)SYS(connect(plain, (struct sockaddr *)&own, sizeof(own)));
	(void)SYS(setsockopt(six, SOL_ICMPV6, ICMPV6_FILTER, filter6, sizeof(filter6)));
	live_freeze();
	CHECK(get(icmp, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_ICMP, "another protocol");
	CHECK(get(icmp, SOL_RAW, ICMP_FILTER_) == (int)filter.data, "another filter");
	CHECK(get(own_header, SOL_IP, IP_HDRINCL) == 1, "its header is made for it");
	CHECK(get(plain, SOL_SOCKET, SO_PROTOCOL) == 200, "another protocol");
	(void)SYS(getsockname(icmp, (struct sockaddr *)&name, &len));
	CHECK(name.sin_addr.s_addr == htonl(INADDR_LOOPBACK), "another address");
	len = sizeof(got6);
	(void)SYS(getsockopt(six, SOL_ICMPV6, ICMPV6_FILTER, got6, &len));
	CHECK(!memcmp(got6, filter6, sizeof(got6)), "another filter of IPv6");
	len = sizeof(name6);
	(void)SYS(getsockname(six, (struct sockaddr *)&name6, &len));
	CHECK(name6.sin6_family == AF_INET6, "another family");
	/* Connected: it sends without being told where to. */
	CHECK(send(plain, "x", 1, 0) == 1, "it is not connected: %s", strerror(errno));
	ping(icmp);
	CHECK(hear(icmp) == ICMP_ECHOREPLY, "the filter lets others through");
	live_pass();
}
