/* An open TCP connection is refused by name, before anything is stopped. */
#include "live.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = SYS(socket(AF_INET, SOCK_STREAM, 0));
	int client = SYS(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t len = sizeof(a);
	char c = 0;
	int served;

	(void)SYS(bind(server, (struct sockaddr *)&a, sizeof(a)));
	(void)SYS(listen(server, 1));
	(void)SYS(getsockname(server, (struct sockaddr *)&a, &len));
	(void)SYS(connect(client, (struct sockaddr *)&a, sizeof(a)));
	served = SYS(accept(server, NULL, NULL));
	live_freeze();
	CHECK(write(client, "x", 1) == 1 && read(served, &c, 1) == 1 && c == 'x', "it is broken");
	live_pass();
}
