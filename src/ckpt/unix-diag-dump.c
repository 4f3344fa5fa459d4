#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/unix-diag.h"

#define REPLY_SIZE ((size_t)64 << 10)

/* A netlink socket keeps the namespace it was made in. */
static int open_in_netns(pid_t host_pid, int *ret_fd, struct error *err)
{
	cleanup_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cleanup_fd int theirs = -EBADF;
	cleanup_fd int fd = -EBADF;
	struct stat a, b;
	char path[64];
	bool other;
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", host_pid); /* always fits */
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0 || fstat(own, &a) < 0 || fstat(theirs, &b) < 0)
		return err_sys(err, "open network namespace '%s'", path);
	other = a.st_ino != b.st_ino || a.st_dev != b.st_dev;
	if (other && setns(theirs, CLONE_NEWNET) < 0)
		return err_sys(err, "enter network namespace '%s'", path);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		r = err_sys(err, "open a netlink socket");
	if (other && setns(own, CLONE_NEWNET) < 0)
		return err_sys(err, "return to own network namespace");
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int ask(int fd, struct error *err)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} message = {
		.header = { .nlmsg_len = sizeof(message),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request = { .sdiag_family = AF_UNIX,
			     .udiag_states = ~0u,
			     .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS |
					   UDIAG_SHOW_RQLEN },
	};

	if (send(fd, &message, sizeof(message), 0) < 0)
		return err_sys(err, "ask for unix sockets");
	return 0;
}

static int add_pending(struct unix_diags *diags, struct unix_diag *d, const struct nlattr *attr,
		       size_t len, struct error *err)
{
	size_t n = len / sizeof(uint32_t);
	struct unix_pending *more =
		reallocarray(diags->pending, diags->n_pending + n + 1, sizeof(*more));
	const unsigned char *at = (const unsigned char *)(attr + 1);

	if (!more)
		return err_oom(err);
	diags->pending = more;
	for (size_t i = 0; i < n; i++) {
		uint32_t ino;

		memcpy(&ino, at + i * sizeof(ino), sizeof(ino));
		d->n_pending++;
		if (!ino)
			d->n_gone++;
		else
			more[diags->n_pending++] =
				(struct unix_pending){ .ino = ino, .listener = d->ino };
	}
	return 0;
}

static int add_attr(struct arena *arena, struct unix_diags *diags, struct unix_diag *d,
		    const struct nlattr *attr, size_t len, struct error *err)
{
	const void *data = attr + 1;
	struct unix_diag_rqlen queue;

	switch (attr->nla_type & NLA_TYPE_MASK) {
	case UNIX_DIAG_NAME:
		d->name = arena_memdup(arena, data, len);
		d->name_len = len;
		return d->name ? 0 : err_oom(err);
	case UNIX_DIAG_PEER:
		if (len >= sizeof(d->peer))
			memcpy(&d->peer, data, sizeof(d->peer));
		return 0;
	case UNIX_DIAG_SHUTDOWN:
		if (len >= 1)
			d->shutdown = *(const uint8_t *)data;
		return 0;
	case UNIX_DIAG_ICONS:
		return add_pending(diags, d, attr, len, err);
	case UNIX_DIAG_RQLEN:
		if (len < sizeof(queue))
			return 0;
		memcpy(&queue, data, sizeof(queue));
		if (d->state == TCP_LISTEN)
			d->backlog = queue.udiag_wqueue;
		else
			d->unread = queue.udiag_wqueue;
		return 0;
	default:
		return 0;
	}
}

/* NLMSG_ALIGN and NLA_ALIGN, without their signs. */
static size_t aligned(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static int add_socket(struct arena *arena, struct unix_diags *diags, size_t *size,
		      const struct nlmsghdr *header, struct error *err)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(header);
	struct unix_diag *d;
	size_t left, at;

	if (header->nlmsg_len < sizeof(*header) + sizeof(*msg))
		return err_set(err, -EPROTO, "strange answer about unix sockets");
	if (diags->n == *size) {
		size_t more = *size ? 2 * *size : 256;
		struct unix_diag *v = reallocarray(diags->v, more, sizeof(*v));

		if (!v)
			return err_oom(err);
		diags->v = v;
		*size = more;
	}
	d = &diags->v[diags->n++];
	*d = (struct unix_diag){ .ino = msg->udiag_ino,
				 .type = msg->udiag_type,
				 .state = msg->udiag_state };
	left = header->nlmsg_len - sizeof(*header) - sizeof(*msg);
	at = aligned(sizeof(*msg));
	while (left >= sizeof(struct nlattr)) {
		const struct nlattr *attr = (const void *)((const char *)msg + at);
		size_t step = aligned(attr->nla_len);
		int r;

		if (attr->nla_len < sizeof(*attr) || attr->nla_len > left)
			return err_set(err, -EPROTO, "strange answer about unix sockets");
		r = add_attr(arena, diags, d, attr, attr->nla_len - sizeof(*attr), err);
		if (r < 0)
			return r;
		at += step;
		left -= step < left ? step : left;
	}
	return 0;
}

/* 1: that was all. */
static int read_some(int fd, char *buf, struct arena *arena, struct unix_diags *diags, size_t *size,
		     struct error *err)
{
	ssize_t n;

	do {
		n = recv(fd, buf, REPLY_SIZE, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "ask for unix sockets");
	for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, (size_t)n);
	     h = NLMSG_NEXT(h, n)) {
		int r;

		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			return err_set(err, e->error, "ask for unix sockets: %s",
				       strerror(-e->error));
		}
		r = add_socket(arena, diags, size, h, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_ino(const void *a, const void *b)
{
	/* Both structures begin with it. */
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int unix_diag_load(pid_t host_pid, struct arena *arena, struct unix_diags *ret, struct error *err)
{
	cleanup_free char *buf = malloc(REPLY_SIZE);
	struct unix_diags diags = { NULL };
	cleanup_fd int fd = -EBADF;
	size_t size = 0;
	int r;

	if (!buf)
		return err_oom(err);
	r = open_in_netns(host_pid, &fd, err);
	if (r == 0)
		r = ask(fd, err);
	while (r == 0)
		r = read_some(fd, buf, arena, &diags, &size, err);
	if (r < 0) {
		unix_diags_done(&diags);
		return r;
	}
	if (diags.n)
		qsort(diags.v, diags.n, sizeof(*diags.v), by_ino);
	if (diags.n_pending)
		qsort(diags.pending, diags.n_pending, sizeof(*diags.pending), by_ino);
	*ret = diags;
	return 0;
}

void unix_diags_done(struct unix_diags *diags)
{
	free(diags->v);
	free(diags->pending);
	*diags = (struct unix_diags){ NULL };
}

const struct unix_diag *unix_diag_find(const struct unix_diags *diags, uint32_t ino)
{
	return diags->n ? bsearch(&ino, diags->v, diags->n, sizeof(*diags->v), by_ino) : NULL;
}

uint32_t unix_diag_waits_at(const struct unix_diags *diags, uint32_t ino)
{
	const struct unix_pending *found = NULL;

	if (diags->n_pending)
		found = bsearch(&ino, diags->pending, diags->n_pending, sizeof(*diags->pending),
				by_ino);
	return found ? found->listener : 0;
}
