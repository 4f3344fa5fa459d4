/*
 * Connections that wait to be accepted are accepted afterwards; one that was accepted before,
 * of a client that is younger than those, keeps its two ends.
 */
#include "live.h"

#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int listener = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	int client[3], server[3], early, accepted;
	char got[8] = "";

	live_copy(un.sun_path, sizeof(un.sun_path), live_path("server"));
	(void)SYS(bind(listener, (struct sockaddr *)&un, sizeof(un)));
	(void)SYS(listen(listener, 3));
	for (int i = 0; i < 3; i++)
		client[i] = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	early = SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	(void)SYS(connect(early, (struct sockaddr *)&un, sizeof(un)));
	accepted = SYS(accept(listener, NULL, NULL));
	for (int i = 0; i < 3; i++) {
		(void)SYS(connect(client[i], (struct sockaddr *)&un, sizeof(un)));
	}
	live_freeze();
	CHECK(send(early, "early", 5, 0) == 5, "send");
	CHECK(recv(accepted, got, sizeof(got), MSG_DONTWAIT) == 5, "the ends were mixed up");
	for (int i = 0; i < 3; i++)
		server[i] = SYS(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	for (int i = 0; i < 3; i++)
		CHECK(send(client[i], "hi", 2, 0) == 2, "send");
	for (int i = 0; i < 3; i++)
		CHECK(recv(server[i], got, sizeof(got), 0) == 2, "recv: %s", strerror(errno));
	(void)SYS(fcntl(listener, F_SETFL, O_NONBLOCK));
	CHECK(accept(listener, NULL, NULL) < 0 && errno == EAGAIN, "one connection too many");
	live_pass();
}
