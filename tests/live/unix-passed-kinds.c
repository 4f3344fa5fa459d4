/* Messages with descriptors and credentials: in streams between plain ones, in datagrams, nested.
 */
#include "live.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

struct message {
	char data[64];
	ssize_t len;
	int fds[8];
	size_t n_fds;
	struct ucred creds;
};

static void send_fds(int to, const char *text, const int *fds, size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = "";
	struct iovec part = { (char *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (n) {
		struct cmsghdr *c = (void *)control;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	CHECK(sendmsg(to, &m, 0) == (ssize_t)strlen(text), "send: %s", strerror(errno));
}

static struct message take(int from, size_t len)
{
	_Alignas(struct cmsghdr) char control[1024];
	struct message got = { .n_fds = 0 };
	struct iovec part = { got.data, len };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	got.len = recvmsg(from, &m, MSG_DONTWAIT);
	CHECK(got.len >= 0, "receive: %s", strerror(errno));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_RIGHTS) {
			got.n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(got.fds, CMSG_DATA(c), got.n_fds * sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&got.creds, CMSG_DATA(c), sizeof(got.creds));
		}
	}
	return got;
}

static void expect(const struct message *m, const char *text, size_t n_fds)
{
	CHECK(m->len == (ssize_t)strlen(text) && !memcmp(m->data, text, strlen(text)),
	      "'%.*s' instead of '%s'", (int)m->len, m->data, text);
	CHECK(m->n_fds == n_fds, "%zu descriptors with '%s' instead of %zu", m->n_fds, text, n_fds);
}

int main(void)
{
	int stream[2], packets[2], grams[2], nested[2], ends[2], self[2];
	int one = 1, file, count, fds[4];
	struct message m, inner;
	uint64_t value = 0;
	pid_t child;
	char c;

	SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	SYS(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets));
	SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, grams));
	SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, nested));
	SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, self));
	SYS(pipe(ends));
	file = SYS(open(live_path("file"), O_RDWR | O_CREAT, 0600));
	SYS(write(file, "0123456789", 10));
	SYS(lseek(file, 3, SEEK_SET));
	count = SYS(eventfd(7, 0));

	/* A stream: plain, with two, plain, with one and plain again, all still to be read. */
	send_fds(stream[0], "before", NULL, 0);
	send_fds(stream[0], "two", (int[]){ file, ends[1] }, 2);
	send_fds(stream[0], "between", NULL, 0);
	send_fds(stream[0], "again", (int[]){ file }, 1);
	send_fds(stream[0], "behind", NULL, 0);
	/* A socket in a socket, which itself holds one: nobody else has them. */
	send_fds(nested[0], "inner", (int[]){ count }, 1);
	send_fds(packets[0], "outer", (int[]){ nested[1] }, 1);
	send_fds(packets[0], "plain", NULL, 0);
	/* One that holds itself. */
	send_fds(self[0], "self", (int[]){ self[1] }, 1);
	SYS(close(nested[0]));
	SYS(close(nested[1]));
	SYS(close(count));
	SYS(close(ends[1]));
	SYS(close(file));
	/* Credentials: ours, and of a child that is gone. */
	SYS(setsockopt(grams[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	send_fds(grams[0], "mine", NULL, 0);
	child = SYS(fork());
	if (child == 0) {
		SYS(setresgid(33, 33, 33));
		SYS(setresuid(44, 44, 44));
		send_fds(grams[0], "child's", (int[]){ ends[0] }, 1);
		live_wait();
		_exit(0);
	}
	while (SYS(recv(grams[1], &c, 1, MSG_PEEK)) != 1)
		;
	live_wait_blocked(child, SYS_clock_nanosleep);
	live_freeze();

	m = take(stream[1], 6);
	expect(&m, "before", 0);
	m = take(stream[1], 64);
	expect(&m, "two", 2);
	CHECK(SYS(lseek(m.fds[0], 0, SEEK_CUR)) == 3, "the file's position is lost");
	SYS(write(m.fds[1], "y", 1));
	CHECK(read(ends[0], &c, 1) == 1 && c == 'y', "another pipe");
	SYS(lseek(m.fds[0], 5, SEEK_SET));
	fds[0] = m.fds[0];
	/* The kernel joins these two, as it did before. */
	m = take(stream[1], 64);
	expect(&m, "betweenagain", 1);
	CHECK(SYS(lseek(m.fds[0], 0, SEEK_CUR)) == 5 &&
		      syscall(SYS_kcmp, getpid(), getpid(), 0, m.fds[0], fds[0]) == 0,
	      "the file is another description");
	m = take(stream[1], 64);
	expect(&m, "behind", 0);
	m = take(packets[1], 64);
	expect(&m, "outer", 1);
	inner = take(m.fds[0], 64);
	expect(&inner, "inner", 1);
	CHECK(read(inner.fds[0], &value, sizeof(value)) == sizeof(value) && value == 7,
	      "the eventfd has %llu", (unsigned long long)value);
	CHECK(read(m.fds[0], &c, 1) == 0, "its other end is there again");
	m = take(packets[1], 64);
	expect(&m, "plain", 0);
	m = take(self[1], 64);
	expect(&m, "self", 1);
	m = take(grams[1], 64);
	expect(&m, "mine", 0);
	CHECK(m.creds.pid == getpid() && m.creds.uid == 0, "sent by %d, user %u", m.creds.pid,
	      m.creds.uid);
	m = take(grams[1], 64);
	expect(&m, "child's", 1);
	CHECK(m.creds.pid == child && m.creds.uid == 44 && m.creds.gid == 33,
	      "sent by %d, user %u, group %u", m.creds.pid, m.creds.uid, m.creds.gid);
	live_reap(child);
	live_pass();
}
