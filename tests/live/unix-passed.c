/* A descriptor lies in a socket queue, and nowhere else: it arrives. */
#include "live.h"

#include <sys/socket.h>

int main(void)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .space = "" };
	struct iovec byte = { .iov_base = (char[1]){ 'x' }, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int pair[2], ends[2], got;
	char c;

	(void)SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	(void)SYS(pipe(ends));
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &ends[1], sizeof(int));
	(void)SYS(sendmsg(pair[0], &message, 0));
	(void)SYS(close(ends[1]));
	live_freeze();
	(void)SYS(recvmsg(pair[1], &message, 0));
	head = CMSG_FIRSTHDR(&message);
	CHECK(head && head->cmsg_type == SCM_RIGHTS, "no descriptor came");
	memcpy(&got, CMSG_DATA(head), sizeof(int));
	CHECK(write(got, "y", 1) == 1 && read(ends[0], &c, 1) == 1 && c == 'y', "a wrong one came");
	live_pass();
}
