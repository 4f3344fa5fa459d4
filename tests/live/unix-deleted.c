/* A socket whose file was removed, and whose name another socket has now: both go on. */
#include "live.h"

#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int old = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	int new = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	int lonely = SYS(socket(AF_UNIX, SOCK_DGRAM, 0));
	int client = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	int fresh = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	int served, later;
	char got[8] = "";

	live_copy(un.sun_path, sizeof(un.sun_path), live_path("name"));
	(void)SYS(bind(old, (struct sockaddr *)&un, sizeof(un)));
	(void)SYS(listen(old, 1));
	(void)SYS(connect(client, (struct sockaddr *)&un, sizeof(un)));
	served = SYS(accept(old, NULL, NULL));
	(void)SYS(unlink(un.sun_path));
	(void)SYS(bind(new, (struct sockaddr *)&un, sizeof(un)));
	(void)SYS(listen(new, 1));
	live_copy(un.sun_path, sizeof(un.sun_path), live_path("other"));
	(void)SYS(bind(lonely, (struct sockaddr *)&un, sizeof(un)));
	(void)SYS(unlink(un.sun_path));
	live_freeze();
	CHECK(access(un.sun_path, F_OK) < 0 && errno == ENOENT, "the removed name is back");
	CHECK(send(client, "hi", 2, 0) == 2 && recv(served, got, 8, 0) == 2, "connection is lost");
	live_copy(un.sun_path, sizeof(un.sun_path), live_path("name"));
	(void)SYS(connect(fresh, (struct sockaddr *)&un, sizeof(un)));
	(void)SYS(fcntl(old, F_SETFL, O_NONBLOCK));
	CHECK(accept(old, NULL, NULL) < 0 && errno == EAGAIN, "the old one got the connection");
	later = SYS(accept(new, NULL, NULL));
	CHECK(send(fresh, "yo", 2, 0) == 2 && recv(later, got, 8, 0) == 2, "the new one is deaf");
	live_pass();
}
