/*
 * netlink: talking to the kernel over AF_NETLINK. Messages are libmnl's
 * business, this is asking and being answered.
 *
 *	cleanup_netlink struct netlink nl = NETLINK_INIT;
 *	r = netlink_open(&nl, NETLINK_ROUTE, err);
 *	header = netlink_request(&nl, RTM_GETLINK, 0);
 *	... mnl_nlmsg_put_extra_header(header, ...), mnl_attr_put(header, ...)
 *	r = netlink_dump(&nl, header, on_link, arg, err);
 *
 * A socket stays in the network namespace it was opened in.
 */
#pragma once

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

#define NETLINK_REQUEST_MAX ((size_t)16 << 10)

struct netlink {
	int fd; /* -EBADF while closed */
	uint32_t seq;
	char *request; /* NETLINK_REQUEST_MAX bytes */
	char *answer;  /* NETLINK_ANSWER_MAX */
};

#define NETLINK_INIT                                                                               \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

int netlink_open(struct netlink *nl, int protocol, struct error *err);
/* In the network namespace of that process, or of `socket`. */
int netlink_open_at(struct netlink *nl, int protocol, pid_t pid, struct error *err);
int netlink_open_like(struct netlink *nl, int protocol, int socket, struct error *err);
void netlink_done(struct netlink *nl);
#define cleanup_netlink __attribute__((cleanup(netlink_done)))

/* A new message in the socket's own buffer: one at a time. */
struct nlmsghdr *netlink_request(struct netlink *nl, uint16_t type, uint16_t flags);

/*
 * All that the kernel has of something. A negative return of `each` ends the
 * reading and is the result. -EAGAIN: it changed meanwhile.
 */
int netlink_dump(struct netlink *nl, struct nlmsghdr *request,
		 int (*each)(void *arg, const struct nlmsghdr *message, struct error *err),
		 void *arg, struct error *err);

/* One request and the kernel's word on it; its errno is the result. */
int netlink_talk(struct netlink *nl, struct nlmsghdr *request, struct error *err);

/* The same for a message that lies elsewhere, of any length; its flags and sequence are set. */
int netlink_replay(struct netlink *nl, struct nlmsghdr *message, uint16_t flags, struct error *err);

/* The attribute after `attr`, or the first one for NULL; `skip` bytes of body come before. */
const struct nlattr *netlink_attr_after(const struct nlmsghdr *message, size_t skip,
					const struct nlattr *attr);
#define netlink_each_attr(attr, message, skip)                                                     \
	for ((attr) = netlink_attr_after((message), (skip), NULL); (attr);                         \
	     (attr) = netlink_attr_after((message), (skip), (attr)))

/* Brings up "lo" of the network namespace we are in. */
int netlink_loopback_up(struct error *err);
