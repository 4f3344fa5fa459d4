#include "runtime/sync.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"

struct message {
	uint32_t kind;
	struct error error; /* SYNC_FAILED only */
};

int sync_pair(int *ret_ours, int *ret_theirs, struct error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(err, "make a socket pair");
	*ret_ours = fds[0];
	*ret_theirs = fds[1];
	return 0;
}

static int send_message(int fd, const struct message *msg, size_t len)
{
	ssize_t n;

	do {
		n = send(fd, msg, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int sync_send(int fd, enum sync_kind kind, struct error *err)
{
	const struct message msg = { .kind = kind };
	int r = send_message(fd, &msg, sizeof(msg.kind));

	if (r < 0)
		return err_set(err, r, "the other side of the container's making is gone: %s",
			       strerror(-r));
	return 0;
}

void sync_send_failure(int fd, const struct error *failure)
{
	const struct message msg = { .kind = SYNC_FAILED, .error = *failure };

	(void)send_message(fd, &msg, sizeof(msg)); /* nobody else to tell */
}

int sync_expect_either(int fd, enum sync_kind one, enum sync_kind two, struct error *err)
{
	struct message msg = { .kind = SYNC_FAILED };
	ssize_t n;
	int r;

	do {
		n = recv(fd, &msg, sizeof(msg), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, "wait for the container's first process");
	if (n < (ssize_t)sizeof(msg.kind))
		return err_set(err, -EPIPE, "the container's first process ended early");
	if (msg.kind == (uint32_t)one || msg.kind == (uint32_t)two)
		return (int)msg.kind;
	if (msg.kind != SYNC_FAILED || n != (ssize_t)sizeof(msg))
		return err_set(err, -EPROTO, "strange message from the container's first process");
	msg.error.text[sizeof(msg.error.text) - 1] = '\0';
	msg.error.hint[sizeof(msg.error.hint) - 1] = '\0';
	r = err_set(err, msg.error.code, "%s", msg.error.text);
	if (msg.error.hint[0])
		err_hint(err, "%s", msg.error.hint);
	return r;
}

int sync_expect(int fd, enum sync_kind kind, struct error *err)
{
	int r = sync_expect_either(fd, kind, kind, err);

	return r < 0 ? r : 0;
}
