/*
 * Socketpairs of every type keep what waits in both directions, message by message, with
 * flags, options, half-closed ends, and an end whose other end is gone.
 */
#include "live.h"

#include <sys/socket.h>
#include <sys/time.h>

static void expect(int fd, const char *what)
{
	char got[64] = "";
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	CHECK(n == (ssize_t)strlen(what) && memcmp(got, what, strlen(what)) == 0,
	      "'%s' (%zd bytes) instead of '%s'", got, n, what);
}

static void expect_none(int fd)
{
	char got[8];

	CHECK(recv(fd, got, sizeof(got), MSG_DONTWAIT) < 0 && errno == EAGAIN,
	      "something more waits");
}

static void say(int fd, const char *what)
{
	CHECK(send(fd, what, strlen(what), MSG_NOSIGNAL) == (ssize_t)strlen(what), "send: %s",
	      strerror(errno));
}

int main(void)
{
	static char big[150000], got[150000];
	int stream[2], dgram[2], packets[2], half[2], gone[2], full[2];
	struct timeval timeout = { 3, 250000 };
	int size = 300000, on = 1, value;
	socklen_t len;

	(void)SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream));
	(void)SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram));
	(void)SYS(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, packets));
	(void)SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, half));
	(void)SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, gone));
	(void)SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, full));
	say(stream[0], "one ");
	say(stream[0], "two");
	say(stream[1], "back");
	say(dgram[0], "first");
	say(dgram[0], "third");
	say(packets[1], "a");
	say(packets[1], "bc");
	say(half[0], "last words");
	(void)SYS(shutdown(half[0], SHUT_WR));
	say(gone[1], "farewell");
	(void)SYS(close(gone[1]));
	(void)SYS(setsockopt(full[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31 + i / 251);
	CHECK(send(full[0], big, sizeof(big), 0) == sizeof(big), "send");
	(void)SYS(setsockopt(stream[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	(void)SYS(setsockopt(dgram[1], SOL_SOCKET, SO_PRIORITY, &(int){ 4 }, sizeof(int)));
	(void)SYS(setsockopt(half[0], SOL_SOCKET, SO_PASSSEC, &on, sizeof(on)));
	live_freeze();

	expect(stream[1], "one two");
	expect_none(stream[1]);
	expect(stream[0], "back");
	CHECK(fcntl(stream[0], F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	expect(dgram[1], "first");
	expect(dgram[1], "third");
	expect_none(dgram[1]);
	CHECK((fcntl(packets[0], F_GETFL) & O_NONBLOCK) != 0, "O_NONBLOCK is lost");
	expect(packets[0], "a");
	expect(packets[0], "bc");
	expect_none(packets[0]);
	expect(half[1], "last words");
	CHECK(recv(half[1], got, 1, MSG_DONTWAIT) == 0, "no end of what was shut down");
	say(half[1], "answer");
	expect(half[0], "answer");
	CHECK(send(half[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "it can send again");
	expect(gone[0], "farewell");
	CHECK(recv(gone[0], got, 1, MSG_DONTWAIT) == 0, "no end without the other end");
	CHECK(send(gone[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "sent to nobody");
	CHECK(recv(full[1], got, sizeof(got), MSG_WAITALL) == sizeof(got) &&
		      memcmp(got, big, sizeof(big)) == 0,
	      "the many bytes changed");
	timeout = (struct timeval){ 0, 0 };
	len = sizeof(timeout);
	(void)SYS(getsockopt(stream[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, &len));
	CHECK(timeout.tv_sec == 3, "timeout %ld s", timeout.tv_sec);
	len = sizeof(value);
	(void)SYS(getsockopt(dgram[1], SOL_SOCKET, SO_PRIORITY, &value, &len));
	CHECK(value == 4, "priority %d", value);
	(void)SYS(getsockopt(half[0], SOL_SOCKET, SO_PASSSEC, &value, &len));
	CHECK(value == 1, "SO_PASSSEC is lost");
	(void)SYS(getsockopt(full[0], SOL_SOCKET, SO_SNDBUF, &value, &len));
	CHECK(value == 600000, "send buffer of %d", value);
	say(stream[0], "on");
	expect(stream[1], "on");
	live_pass();
}
