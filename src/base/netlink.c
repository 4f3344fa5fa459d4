#include "base/netlink.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

#define LOOPBACK_INDEX 1 /* of every network namespace */
#define NETLINK_ANSWER_MAX ((size_t)64 << 10)

int netlink_open(struct netlink *nl, int protocol, struct error *err)
{
	const int on = 1;

	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (nl->fd < 0)
		return err_sys(err, "open a netlink socket");
	/* The kernel's words on what it does not like; not in all versions. */
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	nl->request = malloc(NETLINK_REQUEST_MAX);
	nl->answer = malloc(NETLINK_ANSWER_MAX);
	return nl->request && nl->answer ? 0 : err_oom(err);
}

/* A netlink socket keeps the namespace it was made in: we go there for a moment. */
static int open_in(struct netlink *nl, int protocol, int there, struct error *err)
{
	cleanup_fd int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (home < 0)
		return err_sys(err, "open our own network namespace");
	if (setns(there, CLONE_NEWNET) < 0)
		return err_sys(err, "enter a network namespace");
	r = netlink_open(nl, protocol, err);
	if (setns(home, CLONE_NEWNET) < 0)
		return err_sys(err, "return to our own network namespace");
	return r;
}

int netlink_open_at(struct netlink *nl, int protocol, pid_t pid, struct error *err)
{
	cleanup_fd int there = -EBADF;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid); /* always fits */
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (there < 0)
		return err_sys(err, "open '%s'", path);
	return open_in(nl, protocol, there, err);
}

int netlink_open_like(struct netlink *nl, int protocol, int socket, struct error *err)
{
	cleanup_fd int there = ioctl(socket, SIOCGSKNS);

	if (there < 0)
		return err_sys(err, "network namespace of a socket");
	return open_in(nl, protocol, there, err);
}

void netlink_done(struct netlink *nl)
{
	int saved = errno;

	if (nl->fd >= 0)
		(void)close(nl->fd);
	free(nl->request);
	free(nl->answer);
	*nl = (struct netlink)NETLINK_INIT;
	errno = saved;
}

struct nlmsghdr *netlink_request(struct netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(nl->request);

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	return header;
}

static int ask(struct netlink *nl, struct nlmsghdr *message, struct error *err)
{
	message->nlmsg_seq = ++nl->seq;
	message->nlmsg_pid = 0;
	if (send(nl->fd, message, message->nlmsg_len, 0) < 0)
		return err_sys(err, "netlink request %u", message->nlmsg_type);
	return 0;
}

static ssize_t hear(struct netlink *nl, uint16_t type, struct error *err)
{
	ssize_t n;

	do {
		n = recv(nl->fd, nl->answer, NETLINK_ANSWER_MAX, MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "netlink request %u", type);
	if ((size_t)n > NETLINK_ANSWER_MAX)
		return err_set(err, -EMSGSIZE, "netlink request %u: an answer of %zd bytes", type,
			       n);
	return n;
}

const struct nlattr *netlink_attr_after(const struct nlmsghdr *message, size_t skip,
					const struct nlattr *attr)
{
	const char *end = mnl_nlmsg_get_payload_tail(message);

	attr = attr ? mnl_attr_next(attr) : mnl_nlmsg_get_payload_offset(message, skip);
	return mnl_attr_ok(attr, (int)(end - (const char *)attr)) ? attr : NULL;
}

/* What the kernel says in words, or "". */
static const char *words_of(const struct nlmsghdr *answer)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);
	size_t skip = sizeof(*e);
	const struct nlattr *attr;

	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return "";
	if (!(answer->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - sizeof(e->msg);
	netlink_each_attr(attr, answer, skip)
	{
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	}
	return "";
}

static int told(const struct nlmsghdr *answer, uint16_t type, struct error *err)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);
	const char *words = words_of(answer);

	if (mnl_nlmsg_get_payload_len(answer) < sizeof(*e))
		return err_set(err, -EPROTO, "netlink request %u: strange answer", type);
	if (e->error < 0)
		return err_set(err, e->error, "%s%s%s", strerror(-e->error), *words ? ": " : "",
			       words);
	return 0;
}

/* 1: that was all. */
static int read_some(struct netlink *nl, uint16_t type,
		     int (*each)(void *arg, const struct nlmsghdr *message, struct error *err),
		     void *arg, struct error *err)
{
	ssize_t len = hear(nl, type, err);
	const struct nlmsghdr *h = (const void *)nl->answer;
	int left = (int)len;
	int r = 0;

	if (len < 0)
		return (int)len;
	for (; mnl_nlmsg_ok(h, left) && r == 0; h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != nl->seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			return err_set(err, -EAGAIN, "netlink request %u: it changes meanwhile",
				       type);
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR) {
			r = told(h, type, err);
			return r < 0 ? r : 1;
		}
		if (each)
			r = each(arg, h, err);
	}
	return r;
}

/* A reader that has enough: the rest is heard out, or the next question would meet it. */
struct reader {
	int (*each)(void *arg, const struct nlmsghdr *message, struct error *err);
	void *arg;
	int result;
};

static int read_each(void *arg, const struct nlmsghdr *message, struct error *err)
{
	struct reader *reader = arg;

	if (reader->result == 0)
		reader->result = reader->each(reader->arg, message, err);
	return 0;
}

int netlink_dump(struct netlink *nl, struct nlmsghdr *request,
		 int (*each)(void *arg, const struct nlmsghdr *message, struct error *err),
		 void *arg, struct error *err)
{
	struct reader reader = { .each = each, .arg = arg };
	uint16_t type = request->nlmsg_type;
	int r;

	request->nlmsg_flags |= NLM_F_DUMP;
	r = ask(nl, request, err);
	while (r == 0)
		r = read_some(nl, type, read_each, &reader, reader.result < 0 ? NULL : err);
	if (reader.result < 0)
		return reader.result;
	return r < 0 ? r : 0;
}

int netlink_talk(struct netlink *nl, struct nlmsghdr *request, struct error *err)
{
	uint16_t type = request->nlmsg_type;
	int r;

	request->nlmsg_flags |= NLM_F_ACK;
	r = ask(nl, request, err);
	while (r == 0)
		r = read_some(nl, type, NULL, NULL, err);
	return r < 0 ? r : 0;
}

int netlink_replay(struct netlink *nl, struct nlmsghdr *message, uint16_t flags, struct error *err)
{
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	return netlink_talk(nl, message, err);
}

int netlink_loopback_up(struct error *err)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	struct nlmsghdr *request;
	struct ifinfomsg *link;
	int r = netlink_open(&nl, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	request = netlink_request(&nl, RTM_NEWLINK, 0);
	link = mnl_nlmsg_put_extra_header(request, sizeof(*link));
	link->ifi_index = LOOPBACK_INDEX;
	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP;
	r = netlink_talk(&nl, request, err);
	return r < 0 ? err_wrap(err, r, "bring up the loopback interface") : 0;
}
