/* Answers of the kernel that wait in a netlink socket can't be saved. */
#include "live.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

int main(void)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} request = { { sizeof(request), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0 },
		      { AF_UNSPEC } };
	int fd = SYS(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	static char answer[65536];

	CHECK(send(fd, &request, sizeof(request), 0) == sizeof(request), "send");
	live_freeze();
	CHECK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0, "the answer is lost");
	live_pass();
}
