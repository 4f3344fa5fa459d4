/* Ping sockets keep their number, which tells replies to them from those to others. */
#include "live.h"

#include <arpa/inet.h>
#include <grp.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_port = htons(4711),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct icmphdr echo = { .type = ICMP_ECHO };
	struct icmphdr reply;
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	int file = SYS(open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY));
	int fd;

	CHECK(write(file, "77 99", 5) == 5, "ping_group_range: %s", strerror(errno));
	(void)close(file);
	(void)SYS(setegid(80));
	fd = SYS(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	(void)SYS(setegid(0));
	(void)SYS(bind(fd, (struct sockaddr *)&own, sizeof(own)));
	live_freeze();
	(void)SYS(getsockname(fd, (struct sockaddr *)&name, &len));
	CHECK(name.sin_port == htons(4711), "its number is %d", ntohs(name.sin_port));
	CHECK(sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&own, sizeof(own)) ==
		      sizeof(echo),
	      "send: %s", strerror(errno));
	CHECK(recv(fd, &reply, sizeof(reply), 0) == sizeof(reply) && reply.type == ICMP_ECHOREPLY &&
		      reply.un.echo.id == htons(4711),
	      "no reply");
	live_pass();
}
