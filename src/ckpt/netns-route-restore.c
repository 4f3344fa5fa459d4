/*
 * netns-route-restore: addresses, neighbours, next hops, routes and rules, which
 * the images hold as the kernel's messages about them: they are sent back.
 */
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/netns-priv.h"
#include "ckpt/netns-restore.h"
#include "img/image.h"

#define SIZE_MAX_RAW ((uint64_t)64 << 20)

struct messages {
	struct nlmsghdr **v; /* in the arena, aligned */
	size_t n;
};

static int add_message(struct rnetns *n, struct messages *all, const void *data, size_t len,
		       struct error *err)
{
	struct nlmsghdr *message = arena_memdup(n->arena, data, len);

	if (!message)
		return err_oom(err);
	all->v[all->n++] = message;
	return 0;
}

/* No file, or an empty one: nothing. */
static int load(struct rnetns *n, enum img_kind kind, uint32_t magic, struct messages *ret,
		struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct messages all = { NULL, 0 };
	uint32_t word = 0;
	int r = image_open(&image, n->images_dir, kind, n->id, err);

	if (r == -ENOENT || (r == 0 && !image_left(&image))) {
		*ret = all;
		return 0;
	}
	if (r < 0)
		return r;
	if (image_left(&image) > SIZE_MAX_RAW)
		return err_set(err, -EFBIG, "%s: %llu bytes", image.name,
			       (unsigned long long)image_left(&image));
	r = image_read_raw(&image, &word, sizeof(word), err);
	if (r == 0 && word != magic)
		r = err_set(err, -EBADMSG, "%s: it does not begin as it should", image.name);
	all.v = arena_new_array(n->arena, struct nlmsghdr *,
				image_left(&image) / sizeof(struct nlmsghdr) + 1);
	if (r == 0 && !all.v)
		r = err_oom(err);
	while (r == 0 && image_left(&image)) {
		/* 64 KiB is more than the kernel puts into one. */
		_Alignas(struct nlmsghdr) char text[65536];
		struct nlmsghdr header;

		r = image_read_raw(&image, &header, sizeof(header), err);
		if (r == 0 &&
		    (header.nlmsg_len < sizeof(header) || header.nlmsg_len > sizeof(text)))
			r = err_set(err, -EBADMSG, "%s: a message of %u bytes", image.name,
				    header.nlmsg_len);
		if (r < 0)
			break;
		memcpy(text, &header, sizeof(header));
		r = image_read_raw(&image, text + sizeof(header), header.nlmsg_len - sizeof(header),
				   err);
		if (r == 0)
			r = add_message(n, &all, text, header.nlmsg_len, err);
	}
	if (r == 0)
		*ret = all;
	return r;
}

static bool has_body(const struct nlmsghdr *message, size_t size)
{
	return mnl_nlmsg_get_payload_len(message) >= size;
}

/* ------------------------------------------------------------------ addresses */

static const struct nlattr *find_attr(const struct nlmsghdr *message, size_t skip, uint16_t type)
{
	const struct nlattr *attr;

	netlink_each_attr(attr, message, skip)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

/* What the kernel was about to find out, or has: nobody looks again. */
static void forget_duplicates(struct nlmsghdr *message)
{
	struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr = find_attr(message, sizeof(*address), IFA_FLAGS);
	const uint32_t told = IFA_F_TENTATIVE | IFA_F_DADFAILED;

	address->ifa_flags &= (uint8_t)~told;
	if (attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		*(uint32_t *)mnl_attr_get_payload(attr) &= ~told;
}

static bool same_address(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct ifaddrmsg *x = mnl_nlmsg_get_payload(a);
	const struct ifaddrmsg *y = mnl_nlmsg_get_payload(b);
	/* Of IPv4 the own address is the local one; IPv6 names it only where there is a peer. */
	const struct nlattr *p = find_attr(a, sizeof(*x), IFA_LOCAL);
	const struct nlattr *q = find_attr(b, sizeof(*y), IFA_LOCAL);

	if (!p)
		p = find_attr(a, sizeof(*x), IFA_ADDRESS);
	if (!q)
		q = find_attr(b, sizeof(*y), IFA_ADDRESS);
	return x->ifa_family == y->ifa_family && x->ifa_prefixlen == y->ifa_prefixlen &&
	       x->ifa_index == y->ifa_index && p && q &&
	       mnl_attr_get_payload_len(p) == mnl_attr_get_payload_len(q) &&
	       !memcmp(mnl_attr_get_payload(p), mnl_attr_get_payload(q),
		       mnl_attr_get_payload_len(p));
}

struct wanted {
	struct rnetns *n;
	const struct messages *all;
	struct messages surplus;
	size_t size;
};

static int note_surplus(void *arg, const struct nlmsghdr *message, struct error *err)
{
	struct wanted *wanted = arg;

	for (size_t i = 0; i < wanted->all->n; i++)
		if (wanted->all->v[i]->nlmsg_type == RTM_NEWADDR &&
		    same_address(wanted->all->v[i], message))
			return 0;
	if (wanted->surplus.n == wanted->size)
		return 0; /* more than a new namespace can have */
	return add_message(wanted->n, &wanted->surplus, message, message->nlmsg_len, err);
}

/* Those that devices have got when they came up, and had lost again. */
static int drop_surplus(struct rnetns *n, struct netlink *nl, const struct messages *all,
			struct error *err)
{
	struct wanted wanted = { .n = n, .all = all, .size = 2 * n->n_devices + 2 };
	struct nlmsghdr *request = netlink_request(nl, RTM_GETADDR, 0);
	int r;

	wanted.surplus.v = arena_new_array(n->arena, struct nlmsghdr *, wanted.size);
	if (!wanted.surplus.v)
		return err_oom(err);
	(void)mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
	r = netlink_dump(nl, request, note_surplus, &wanted, err);
	for (size_t i = 0; i < wanted.surplus.n && r == 0; i++) {
		wanted.surplus.v[i]->nlmsg_type = RTM_DELADDR;
		r = netlink_replay(nl, wanted.surplus.v[i], 0, err);
	}
	return r < 0 ? err_wrap(err, r, "remove an address") : 0;
}

static int replay_other(struct netlink *nl, struct nlmsghdr *message, struct error *err)
{
	const char *what = message->nlmsg_type == RTM_NEWNEIGH ? "neighbour" : "next hop";
	int r;

	if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_NEWNEXTHOP)
		return err_set(err, -EBADMSG, "ifaddr image: a message of type %u",
			       message->nlmsg_type);
	r = netlink_replay(nl, message, NLM_F_CREATE | NLM_F_REPLACE, err);
	return r < 0 ? err_wrap(err, r, "%s", what) : 0;
}

int netns_addresses_restore(struct rnetns *n, struct netlink *nl, struct error *err)
{
	struct messages all;
	int r = load(n, IMG_KIND_IFADDR, NETNS_MAGIC_ADDR, &all, err);

	if (r < 0 || !all.v)
		return r;
	for (size_t i = 0; i < all.n && r == 0; i++) {
		struct nlmsghdr *message = all.v[i];

		if (message->nlmsg_type != RTM_NEWADDR) {
			r = replay_other(nl, message, err);
			continue;
		}
		if (!has_body(message, sizeof(struct ifaddrmsg)))
			return err_set(err, -EBADMSG, "ifaddr image: a short message");
		forget_duplicates(message);
		r = netlink_replay(nl, message, NLM_F_CREATE | NLM_F_EXCL, err);
		if (r == -EEXIST)
			r = 0; /* devices get some when they come up */
		if (r < 0)
			r = err_wrap(
				err, r, "an address of device %u",
				((struct ifaddrmsg *)mnl_nlmsg_get_payload(message))->ifa_index);
	}
	return r < 0 ? r : drop_surplus(n, nl, &all, err);
}

/* --------------------------------------------------------------------- routes */

/* What the kernel says about a route, and does not want to hear. */
static void forget_state(struct nlmsghdr *message)
{
	const uint32_t told =
		RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_OFFLOAD | RTNH_F_TRAP | RTNH_F_UNRESOLVED;
	struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr = find_attr(message, sizeof(*route), RTA_MULTIPATH);
	size_t left;

	route->rtm_flags &= ~told;
	if (!attr)
		return;
	left = mnl_attr_get_payload_len(attr);
	for (struct rtnexthop *hop = mnl_attr_get_payload(attr);
	     left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left;
	     hop = RTNH_NEXT(hop)) {
		hop->rtnh_flags &= (unsigned char)~told;
		left -= RTNH_ALIGN(hop->rtnh_len) < (int)left ? (size_t)RTNH_ALIGN(hop->rtnh_len)
							      : left;
	}
}

/* A gateway must be reachable before a route leads there: the ones that fail wait for others. */
static int replay_routes(struct netlink *nl, struct messages *all, struct error *err)
{
	struct error first = ERROR_INIT;
	size_t left = all->n;
	size_t before;

	do {
		before = left;
		left = 0;
		first = (struct error)ERROR_INIT;
		for (size_t i = 0; i < before; i++) {
			struct error scratch = ERROR_INIT;
			int r = netlink_replay(nl, all->v[i], NLM_F_CREATE, &scratch);

			if (r == 0 || r == -EEXIST)
				continue;
			all->v[left++] = all->v[i];
			if (!first.code)
				first = scratch;
		}
	} while (left && left < before);
	return left ? err_set(err, first.code, "%zu routes can't be made: %s", left, first.text)
		    : 0;
}

int netns_routes_restore(struct rnetns *n, struct netlink *nl, struct error *err)
{
	static const enum img_kind kinds[] = { IMG_KIND_ROUTE, IMG_KIND_ROUTE6 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++) {
		struct messages all;

		r = load(n, kinds[i], NETNS_MAGIC_ROUTE, &all, err);
		for (size_t j = 0; r == 0 && j < all.n; j++) {
			if (all.v[j]->nlmsg_type != RTM_NEWROUTE ||
			    !has_body(all.v[j], sizeof(struct rtmsg)))
				return err_set(err, -EBADMSG, "route image: a strange message");
			forget_state(all.v[j]);
		}
		if (r == 0)
			r = replay_routes(nl, &all, err);
	}
	return r;
}

/* ---------------------------------------------------------------------- rules */

struct first_rules {
	struct rnetns *n;
	const struct messages *all;
	struct messages surplus;
};

static bool same_table(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct fib_rule_hdr *x = mnl_nlmsg_get_payload(a);
	const struct fib_rule_hdr *y = mnl_nlmsg_get_payload(b);

	return x->family == y->family && x->table == y->table;
}

static int note_rule(void *arg, const struct nlmsghdr *message, struct error *err)
{
	struct first_rules *first = arg;

	for (size_t i = 0; i < first->all->n; i++)
		if (netns_rule_is_first(first->all->v[i]) && same_table(first->all->v[i], message))
			return 0;
	if (!netns_rule_is_first(message) || first->surplus.n == 3)
		return 0;
	return add_message(first->n, &first->surplus, message, message->nlmsg_len, err);
}

int netns_rules_restore(struct rnetns *n, struct netlink *nl, struct error *err)
{
	struct nlmsghdr *surplus[3];
	struct messages all;
	struct first_rules first = { .n = n, .all = &all, .surplus = { .v = surplus } };
	struct nlmsghdr *request;
	int r = load(n, IMG_KIND_RULE, NETNS_MAGIC_RULE, &all, err);

	if (r < 0 || !all.v)
		return r;
	for (size_t i = 0; i < all.n && r == 0; i++) {
		if (all.v[i]->nlmsg_type != RTM_NEWRULE ||
		    !has_body(all.v[i], sizeof(struct fib_rule_hdr)))
			return err_set(err, -EBADMSG, "rule image: a strange message");
		if (!netns_rule_is_first(all.v[i]))
			r = netlink_replay(nl, all.v[i], NLM_F_CREATE, err);
	}
	if (r < 0)
		return err_wrap(err, r, "a routing rule");
	/* Of those that are there from the start, the ones that had been taken away. */
	request = netlink_request(nl, RTM_GETRULE, 0);
	((struct fib_rule_hdr *)mnl_nlmsg_put_extra_header(request, sizeof(struct fib_rule_hdr)))
		->family = AF_INET;
	r = netlink_dump(nl, request, note_rule, &first, err);
	for (size_t i = 0; i < first.surplus.n && r == 0; i++) {
		surplus[i]->nlmsg_type = RTM_DELRULE;
		r = netlink_replay(nl, surplus[i], 0, err);
	}
	return r < 0 ? err_wrap(err, r, "remove a routing rule") : 0;
}
