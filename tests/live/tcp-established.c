/* Open TCP connections between processes of the tree: idle, with bytes that wait on both sides of
 * either direction, half closed, closed by the other side, IPv4, IPv6 and mapped.
 */
#include "live.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { IDLE, WAITING, FULL, HALF, SIX, MAPPED, CLOSED, N };

static const size_t amount = 1 << 20;

struct pair {
	int client, server;
	size_t sent; /* by the client, not read yet */
};

static int listen_on(struct sockaddr_in6 *name, bool six)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	int fd = SYS(socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0));
	socklen_t len = sizeof(*name);

	(void)SYS(bind(fd, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		       six ? sizeof(v6) : sizeof(v4)));
	(void)SYS(listen(fd, 8));
	(void)SYS(getsockname(fd, (struct sockaddr *)name, &len));
	return fd;
}

static struct pair connect_pair(int listener, const struct sockaddr_in6 *name, int which)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = name->sin6_port,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = name->sin6_port,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct pair p = { .sent = 0 };

	p.client = SYS(socket(which == SIX ? AF_INET6 : AF_INET, SOCK_STREAM, 0));
	(void)SYS(connect(p.client,
			  which == SIX ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
			  which == SIX ? sizeof(v6) : sizeof(v4)));
	p.server = SYS(accept(listener, NULL, NULL));
	return p;
}

static char byte_of(size_t n)
{
	return (char)(n * 7 + n / 251);
}

/* As much as goes in, up to `max`: the receiver's buffer, then the sender's. */
static size_t fill(int fd, size_t max)
{
	static char piece[4096];
	size_t done = 0;

	while (done < max) {
		size_t want = max - done < sizeof(piece) ? max - done : sizeof(piece);
		ssize_t n;

		for (size_t i = 0; i < want; i++)
			piece[i] = byte_of(done + i);
		n = send(fd, piece, want, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		CHECK(n > 0, "send: %s", strerror(errno));
		done += (size_t)n;
	}
	return done;
}

static void drain(int fd, size_t want, const char *what)
{
	static char piece[65536];
	size_t done = 0;

	while (done < want) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		CHECK(n > 0, "%s: %zu of %zu bytes come: %s", what, done, want,
		      n ? strerror(errno) : "end");
		for (ssize_t i = 0; i < n; i++)
			CHECK(piece[i] == byte_of(done + (size_t)i), "%s: byte %zu is another",
			      what, done + (size_t)i);
		done += (size_t)n;
	}
	CHECK(done == want, "%s: %zu bytes, not %zu", what, done, want);
}

static void talk(const struct pair *p, const char *what)
{
	char c = 0;

	CHECK(send(p->client, "c", 1, MSG_NOSIGNAL) == 1, "%s: send: %s", what, strerror(errno));
	CHECK(recv(p->server, &c, 1, 0) == 1 && c == 'c', "%s: server", what);
	CHECK(send(p->server, "s", 1, MSG_NOSIGNAL) == 1, "%s: send: %s", what, strerror(errno));
	CHECK(recv(p->client, &c, 1, 0) == 1 && c == 's', "%s: client", what);
}

int main(void)
{
	static const char *const names[N] = { "idle", "waiting", "full", "half closed", "IPv6",
					      "mapped", "closed" };
	struct sockaddr_in6 name4, name6;
	int four = listen_on(&name4, false);
	int six = listen_on(&name6, true);
	struct pair pairs[N];
	int on = 1;
	pid_t child;
	char c;

	for (int i = 0; i < N; i++)
		pairs[i] = connect_pair(i == SIX || i == MAPPED ? six : four,
					i == SIX || i == MAPPED ? &name6 : &name4, i);
	for (int i = 0; i < N; i++)
		talk(&pairs[i], names[i]);
	pairs[WAITING].sent = fill(pairs[WAITING].client, 10000);
	pairs[FULL].sent = fill(pairs[FULL].client, 64 * amount);
	(void)SYS(setsockopt(pairs[IDLE].client, SOL_TCP, TCP_NODELAY, &on, sizeof(on)));
	(void)SYS(shutdown(pairs[HALF].client, SHUT_WR));
	CHECK(send(pairs[CLOSED].client, "last words", 10, 0) == 10, "send");
	(void)close(pairs[CLOSED].client);
	(void)SYS(fcntl(pairs[SIX].client, F_SETFL, O_NONBLOCK));
	/* The servers' ends belong to another process. */
	child = SYS(fork());
	if (child == 0) {
		live_wait();
		talk(&pairs[IDLE], "idle");
		drain(pairs[WAITING].server, pairs[WAITING].sent, "waiting");
		talk(&pairs[WAITING], "waiting");
		drain(pairs[FULL].server, pairs[FULL].sent, "full");
		talk(&pairs[FULL], "full");
		CHECK(recv(pairs[HALF].server, &c, 1, 0) == 0, "half: no end");
		CHECK(send(pairs[HALF].server, "more", 4, MSG_NOSIGNAL) == 4, "half: send: %s",
		      strerror(errno));
		_exit(0);
	}
	(void)close(pairs[WAITING].server);
	(void)close(pairs[FULL].server);
	(void)close(pairs[HALF].server);
	live_freeze();
	live_reap(child);
	CHECK(fcntl(pairs[SIX].client, F_GETFL) & O_NONBLOCK, "it blocks");
	(void)SYS(fcntl(pairs[SIX].client, F_SETFL, 0));
	talk(&pairs[SIX], "IPv6");
	talk(&pairs[MAPPED], "mapped");
	{
		char text[16];
		socklen_t len = sizeof(on);

		on = 0;
		(void)SYS(getsockopt(pairs[IDLE].client, SOL_TCP, TCP_NODELAY, &on, &len));
		CHECK(on == 1, "it delays");
		CHECK(recv(pairs[HALF].client, text, sizeof(text), 0) == 4 &&
			      !memcmp(text, "more", 4),
		      "half closed: nothing comes");
		CHECK(send(pairs[HALF].client, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE,
		      "half closed: it can write");
		CHECK(recv(pairs[CLOSED].server, text, sizeof(text), 0) == 10 &&
			      !memcmp(text, "last words", 10),
		      "closed: the last words are lost");
		CHECK(recv(pairs[CLOSED].server, text, sizeof(text), 0) == 0, "closed: no end");
	}
	/* New ones come in beside the old ones. */
	pairs[0] = connect_pair(four, &name4, IDLE);
	talk(&pairs[0], "new");
	live_pass();
}
