/* A TCP connection that nobody has accepted yet can't be saved. */
#include "live.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = SYS(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t len = sizeof(a);
	int report[2];
	char c;

	(void)SYS(bind(server, (struct sockaddr *)&a, sizeof(a)));
	(void)SYS(listen(server, 1));
	(void)SYS(getsockname(server, (struct sockaddr *)&a, &len));
	(void)SYS(pipe(report));
	/* A client outside of the tree, an orphan that ends with us. */
	if (SYS(fork()) == 0) {
		if (fork() == 0) {
			int client = SYS(socket(AF_INET, SOCK_STREAM, 0));

			(void)SYS(setsid());
			(void)SYS(connect(client, (struct sockaddr *)&a, sizeof(a)));
			(void)SYS(write(client, "x", 1));
			(void)close(server);
			(void)SYS(write(report[1], "x", 1));
			(void)close(report[1]);
			(void)close(report[0]);
			live_wait();
			live_pause_ms(200);
			_exit(0);
		}
		_exit(0);
	}
	(void)SYS(wait(NULL));
	(void)SYS(read(report[0], &c, 1));
	(void)close(report[0]);
	(void)close(report[1]);
	live_freeze();
	server = SYS(accept(server, NULL, NULL));
	CHECK(read(server, &c, 1) == 1 && c == 'x', "it is broken");
	live_pass();
}
