/*
 * Accepted connections whose clients are gone, as a server's forked child may hold them: they
 * have the server's name, and the server can be reached by it nonetheless. One has unread data.
 */
#include "live.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un un = { .sun_family = AF_UNIX };

static int call(void)
{
	int fd = SYS(socket(AF_UNIX, SOCK_STREAM, 0));

	(void)SYS(connect(fd, (struct sockaddr *)&un, sizeof(un)));
	return fd;
}

static int accept_orphan(int server, const char *text)
{
	int client = call();
	int fd = SYS(accept(server, NULL, NULL));

	CHECK(send(client, text, strlen(text), 0) == (ssize_t)strlen(text), "send");
	(void)close(client);
	return fd;
}

static void check_orphan(int fd, const char *text)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(name);
	char got[16] = "";

	(void)SYS(getsockname(fd, (struct sockaddr *)&name, &len));
	CHECK(strcmp(name.sun_path, un.sun_path) == 0, "its name is '%s'", name.sun_path);
	CHECK(recv(fd, got, sizeof(got), 0) == (ssize_t)strlen(text) && strcmp(got, text) == 0,
	      "received '%s'", got);
	CHECK(recv(fd, got, sizeof(got), MSG_DONTWAIT) == 0, "its client is not gone");
	CHECK(send(fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "it can send");
}

int main(void)
{
	int server, client, a, b;
	char got[8] = "";

	live_copy(un.sun_path, sizeof(un.sun_path), live_path("server"));
	server = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	(void)SYS(bind(server, (struct sockaddr *)&un, sizeof(un)));
	(void)SYS(listen(server, 8));
	a = accept_orphan(server, "first");
	b = accept_orphan(server, "");
	live_freeze();
	check_orphan(a, "first");
	check_orphan(b, "");
	client = call();
	CHECK(send(client, "hello", 5, 0) == 5, "send");
	a = SYS(accept(server, NULL, NULL));
	CHECK(recv(a, got, sizeof(got), 0) == 5 && strcmp(got, "hello") == 0, "'%s'", got);
	live_pass();
}
