/* TCP servers: listening sockets keep their addresses, queues and options, and accept anew.
 * Several share a port; one is bound and does not listen yet, one is neither.
 */
#include "live.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

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

static int make4(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = SYS(socket(AF_INET, SOCK_STREAM, 0));

	set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	(void)SYS(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);

	(void)SYS(getsockname(fd, (struct sockaddr *)&a, &len));
	return ntohs(a.sin6_port);
}

static void meet(int server, int family, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool is4 = family == AF_INET;
	int client = SYS(socket(family, SOCK_STREAM, 0));
	int served;
	char c = 0;

	CHECK(connect(client, is4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		      is4 ? sizeof(v4) : sizeof(v6)) == 0,
	      "connect to port %d: %s", port, strerror(errno));
	CHECK(write(client, "x", 1) == 1, "write");
	served = accept(server, NULL, NULL);
	CHECK(served >= 0, "accept: %s", strerror(errno));
	CHECK(read(served, &c, 1) == 1 && c == 'x', "the connection carries nothing");
	(void)close(served);
	(void)close(client);
}

static int backlog(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	(void)SYS(getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len));
	CHECK(info.tcpi_state == TCP_LISTEN, "it does not listen");
	return (int)info.tcpi_sacked;
}

int main(void)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6 };
	int first = make4(0);
	uint16_t port = port_of(first);
	int second = make4(port);
	int bound = make4(0);
	int six = SYS(socket(AF_INET6, SOCK_STREAM, 0));
	int fresh = SYS(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	uint16_t bound_port = port_of(bound);
	char congestion[16] = "";
	socklen_t len = sizeof(congestion);
	struct linger linger = { 1, 7 };

	set(first, SOL_TCP, TCP_DEFER_ACCEPT, 3);
	set(first, SOL_TCP, TCP_FASTOPEN, 5);
	set(first, SOL_TCP, TCP_USER_TIMEOUT, 12345);
	set(first, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(first, SOL_TCP, TCP_KEEPIDLE, 77);
	set(first, SOL_TCP, TCP_NODELAY, 1);
	set(first, SOL_SOCKET, SO_RCVBUF, 40000);
	(void)SYS(setsockopt(first, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	(void)SYS(setsockopt(first, SOL_TCP, TCP_CONGESTION, "reno", 4));
	(void)SYS(listen(first, 17));
	(void)SYS(listen(second, 23));
	set(six, SOL_IPV6, IPV6_V6ONLY, 1);
	set(six, SOL_SOCKET, SO_REUSEADDR, 1);
	any6.sin6_port = htons(port); /* free for IPv6 alone: the others are of IPv4 */
	(void)SYS(bind(six, (struct sockaddr *)&any6, sizeof(any6)));
	(void)SYS(listen(six, 5));
	set(fresh, SOL_TCP, TCP_MAXSEG, 900);
	set(fresh, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);

	live_freeze();
	CHECK(backlog(first) == 17 && backlog(second) == 23 && backlog(six) == 5,
	      "queues of %d, %d, %d", backlog(first), backlog(second), backlog(six));
	CHECK(port_of(first) == port && port_of(second) == port && port_of(six) == port,
	      "other ports");
	CHECK(port_of(bound) == bound_port, "port %d, not %d", port_of(bound), bound_port);
	CHECK(get(first, SOL_SOCKET, SO_REUSEPORT) == 1, "no port reuse");
	CHECK(get(first, SOL_SOCKET, SO_REUSEADDR) == 0, "address reuse");
	CHECK(get(six, SOL_SOCKET, SO_REUSEADDR) == 1, "no address reuse");
	CHECK(get(six, SOL_IPV6, IPV6_V6ONLY) == 1, "not IPv6 only");
	CHECK(get(first, SOL_TCP, TCP_DEFER_ACCEPT) >= 3, "accepts at once");
	CHECK(get(first, SOL_TCP, TCP_FASTOPEN) == 5, "fast open %d",
	      get(first, SOL_TCP, TCP_FASTOPEN));
	CHECK(get(first, SOL_TCP, TCP_USER_TIMEOUT) == 12345, "user timeout");
	CHECK(get(first, SOL_SOCKET, SO_KEEPALIVE) == 1, "keepalive");
	CHECK(get(first, SOL_TCP, TCP_KEEPIDLE) == 77, "keepalive after");
	CHECK(get(first, SOL_TCP, TCP_NODELAY) == 1, "delays");
	CHECK(get(first, SOL_SOCKET, SO_RCVBUF) == 80000, "receive buffer of %d",
	      get(first, SOL_SOCKET, SO_RCVBUF));
	(void)SYS(getsockopt(first, SOL_TCP, TCP_CONGESTION, congestion, &len));
	CHECK(!strcmp(congestion, "reno"), "congestion control '%s'", congestion);
	len = sizeof(linger);
	(void)SYS(getsockopt(first, SOL_SOCKET, SO_LINGER, &linger, &len));
	CHECK(linger.l_onoff == 1 && linger.l_linger == 7, "linger");
	CHECK(get(fresh, SOL_TCP, TCP_MAXSEG) == 900, "segment size");
	CHECK(get(fresh, SOL_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_DO, "path mtu discovery");
	CHECK(fcntl(fresh, F_GETFL) & O_NONBLOCK, "blocks");

	meet(six, AF_INET6, port);
	(void)close(second);
	meet(first, AF_INET, port);
	(void)SYS(listen(bound, 1));
	meet(bound, AF_INET, bound_port);
	live_pass();
}
