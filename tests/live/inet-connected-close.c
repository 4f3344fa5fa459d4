/* With --tcp-close a connection comes back closed: its reader sees the end, its writer EPIPE. Who
 * listens goes on listening.
 */
#include "live.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct sockaddr_in a = { .sin_family = AF_INET };

static int connect_to(void)
{
	int fd = SYS(socket(AF_INET, SOCK_STREAM, 0));

	(void)SYS(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

int main(void)
{
	int server = SYS(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t len = sizeof(a);
	int on = 1;
	char c = 0;
	int ends[2];

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)SYS(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	(void)SYS(bind(server, (struct sockaddr *)&a, sizeof(a)));
	(void)SYS(listen(server, 2));
	(void)SYS(getsockname(server, (struct sockaddr *)&a, &len));
	ends[0] = connect_to();
	ends[1] = SYS(accept(server, NULL, NULL));
	live_freeze();
	for (int i = 0; i < 2; i++) {
		CHECK(read(ends[i], &c, 1) == 0, "end %d: %s", i, strerror(errno));
		CHECK(send(ends[i], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "end %d writes",
		      i);
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	ends[0] = connect_to();
	ends[1] = SYS(accept(server, NULL, NULL));
	CHECK(write(ends[0], "x", 1) == 1 && read(ends[1], &c, 1) == 1 && c == 'x', "it is broken");
	live_pass();
}
