/* Netlink sockets keep number, groups, peer and options, and are told the kernel's news. */
#include "live.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Groups of which no news is to be expected on the host. */
#define QUIET (RTMGRP_IPV4_RULE | RTMGRP_IPV6_PREFIX)

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static int make(uint32_t pid, uint32_t groups)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = pid, .nl_groups = groups };
	int fd = SYS(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));

	(void)SYS(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	return fd;
}

static struct sockaddr_nl name_of(int fd, bool peer)
{
	struct sockaddr_nl name = { 0 };
	socklen_t len = sizeof(name);

	(void)SYS((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&name, &len));
	return name;
}

/* Something that the kernel tells of: a question, whose answer goes to the asker. */
static void ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} request = { { sizeof(request), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0 },
		      { AF_UNSPEC } };
	struct pollfd look = { .fd = fd, .events = POLLIN };
	static char answer[65536];

	CHECK(send(fd, &request, sizeof(request), 0) == sizeof(request), "send: %s",
	      strerror(errno));
	CHECK(poll(&look, 1, 5000) == 1, "no answer");
	CHECK(recv(fd, answer, sizeof(answer), 0) > (ssize_t)sizeof(struct nlmsghdr), "recv");
	CHECK(((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWLINK, "a strange answer");
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

int main(void)
{
	const uint32_t number = (uint32_t)getpid() + 0x40000000;
	int bound = make(number, QUIET);
	int loose = SYS(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE));
	int far = make(number + 1, 0);
	int connected = make(number + 2, 0);
	struct sockaddr_nl peer = { .nl_family = AF_NETLINK, .nl_pid = number + 1 };
	int group = RTNLGRP_STATS; /* above 32 */
	uint32_t groups[4] = { 0 };
	socklen_t len = sizeof(groups);
	int on = 1;

	(void)SYS(setsockopt(far, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	(void)SYS(setsockopt(far, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof(on)));
	(void)SYS(setsockopt(far, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)));
	(void)SYS(connect(connected, (struct sockaddr *)&peer, sizeof(peer)));
	live_freeze();
	CHECK(name_of(bound, false).nl_pid == number, "another number");
	CHECK(name_of(bound, false).nl_groups == QUIET,
	      "groups %#x", name_of(bound, false).nl_groups);
	CHECK(name_of(loose, false).nl_pid == 0, "it has got a number");
	CHECK(fcntl(loose, F_GETFL) & O_NONBLOCK, "it blocks");
	CHECK(name_of(connected, true).nl_pid == number + 1, "another peer");
	(void)SYS(getsockopt(far, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &len));
	CHECK(groups[(group - 1) / 32] == 1u << (group - 1) % 32, "not in group %d", group);
	on = 0;
	len = sizeof(on);
	(void)SYS(getsockopt(far, SOL_NETLINK, NETLINK_PKTINFO, &on, &len));
	CHECK(on == 1, "no packet info");
	on = 0;
	(void)SYS(getsockopt(far, SOL_NETLINK, NETLINK_EXT_ACK, &on, &len));
	CHECK(on == 1, "no extended answers");
	ask(bound);
	ask(loose);
	live_pass();
}
