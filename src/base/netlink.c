#include "base/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"

#define LOOPBACK_INDEX 1 /* of every network namespace */

int netlink_loopback_up(struct error *err)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_NEWLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.link = { .ifi_family = AF_UNSPEC,
			  .ifi_index = LOOPBACK_INDEX,
			  .ifi_flags = IFF_UP,
			  .ifi_change = IFF_UP },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} answer = { .error = { .error = 0 } };
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "open a netlink socket");
	if (send(fd, &request, sizeof(request), 0) < 0)
		return err_sys(err, "bring up the loopback interface");
	do {
		n = recv(fd, &answer, sizeof(answer), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "bring up the loopback interface");
	if (n < (ssize_t)(sizeof(answer.header) + sizeof(answer.error)) ||
	    answer.header.nlmsg_type != NLMSG_ERROR)
		return err_set(err, -EPROTO, "bring up the loopback interface: strange answer");
	if (answer.error.error < 0)
		return err_set(err, answer.error.error, "bring up the loopback interface: %s",
			       strerror(-answer.error.error));
	return 0;
}
