/*
 * netns-dump: a network namespace into its images.
 *
 * Devices and settings have records. Addresses, routes and rules are kept as
 * the kernel's own netlink messages, behind a word that says what they are:
 * what "ip addr save" and its like write. To restore them is to send them back.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fib_rules.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/netlink.h"
#include "ckpt/dump-priv.h"
#include "ckpt/netns-priv.h"
#include "ckpt/netns.h"
#include "img/image.h"
#include "img/pb/netdev.pb-c.h"

struct netns_dump {
	struct dump *dump;
	struct netlink nl;
	struct image *image; /* being written */
	uint32_t ns_id;
};

/* ------------------------------------------------------------------- settings */

static int write_conf(struct netns_dump *n, struct error *err)
{
	NetnsEntry e = NETNS_ENTRY__INIT;
	int r;

	r = netns_conf_read(n->dump, n->ns_id, NETNS_IPV4, "default", &e.def_conf4, &e.n_def_conf4,
			    err);
	if (r == 0)
		r = netns_conf_read(n->dump, n->ns_id, NETNS_IPV4, "all", &e.all_conf4,
				    &e.n_all_conf4, err);
	if (r == 0)
		r = netns_conf_read(n->dump, n->ns_id, NETNS_IPV6, "default", &e.def_conf6,
				    &e.n_def_conf6, err);
	if (r == 0)
		r = netns_conf_read(n->dump, n->ns_id, NETNS_IPV6, "all", &e.all_conf6,
				    &e.n_all_conf6, err);
	if (r == 0)
		r = netns_unix_read(n->dump, n->ns_id, &e.unix_conf, &e.n_unix_conf, err);
	if (r == 0)
		r = netns_ipv4_read(n->dump, n->ns_id, &e.ipv4_sysctl, &e.n_ipv4_sysctl, err);
	return r < 0 ? r : dump_image_one(n->dump, IMG_KIND_NETNS, n->ns_id, &e.base, err);
}

/* -------------------------------------------------------------------- devices */

struct link {
	const struct ifinfomsg *info;
	const struct nlattr *attrs[IFLA_MAX + 1];
	const char *name;
	const char *kind; /* "veth"; "" for those that are no software's */
	const struct nlattr *data;
};

static int take_attr(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= IFLA_MAX)
		link->attrs[type] = attr;
	return MNL_CB_OK;
}

static int take_info(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		link->kind = mnl_attr_get_str(attr);
	if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
		link->data = attr;
	return MNL_CB_OK;
}

static void parse_link(const struct nlmsghdr *message, struct link *link)
{
	*link = (struct link){ .info = mnl_nlmsg_get_payload(message), .kind = "" };
	(void)mnl_attr_parse(message, sizeof(*link->info), take_attr, link);
	if (link->attrs[IFLA_LINKINFO])
		(void)mnl_attr_parse_nested(link->attrs[IFLA_LINKINFO], take_info, link);
	link->name = link->attrs[IFLA_IFNAME] ? mnl_attr_get_str(link->attrs[IFLA_IFNAME]) : "?";
}

static int refuse(const struct netns_dump *n, const struct link *link, const char *why,
		  struct error *err)
{
	int r = err_set(err, -EOPNOTSUPP,
			"task %d: its network namespace has the device '%s'%s%s%s: %s",
			n->dump->opts->pid, link->name, *link->kind ? " (" : "", link->kind,
			*link->kind ? ")" : "", why);

	err_hint(err,
		 "--empty-ns net leaves all devices out; --external net[%" PRIu64
		 "]:KEY keeps the namespace outside",
		 n->dump->ns[DUMP_NS_NET].root_ino);
	return r;
}

static int type_of(const struct netns_dump *n, const struct link *link, NetDeviceEntry *entry,
		   struct error *err)
{
	if (link->info->ifi_type == ARPHRD_LOOPBACK) {
		entry->type = ND_TYPE__LOOPBACK;
	} else if (!strcmp(link->kind, "bridge")) {
		entry->type = ND_TYPE__BRIDGE;
	} else if (!strcmp(link->kind, "veth")) {
		entry->type = ND_TYPE__VETH;
		if (link->attrs[IFLA_LINK_NETNSID])
			return refuse(n, link, "its other end lies in another network namespace",
				      err);
	} else {
		return refuse(n, link, "this version can't save devices of that kind", err);
	}
	return 0;
}

static int write_link(void *arg, const struct nlmsghdr *message, struct error *err)
{
	struct netns_dump *n = arg;
	NetDeviceEntry e = NET_DEVICE_ENTRY__INIT;
	const struct nlattr *address;
	struct link link;
	int r;

	if (message->nlmsg_type != RTM_NEWLINK)
		return 0;
	parse_link(message, &link);
	r = type_of(n, &link, &e, err);
	if (r < 0)
		return r;
	e.ifindex = (uint32_t)link.info->ifi_index;
	e.flags = link.info->ifi_flags;
	e.name = (char *)link.name;
	if (link.attrs[IFLA_MTU])
		e.mtu = mnl_attr_get_u32(link.attrs[IFLA_MTU]);
	e.has_peer_ifindex = true;
	e.peer_ifindex =
		link.attrs[IFLA_LINK] ? mnl_attr_get_u32(link.attrs[IFLA_LINK]) : e.ifindex;
	e.has_peer_nsid = true;
	e.peer_nsid = n->ns_id;
	address = link.attrs[IFLA_ADDRESS];
	if (address && e.type != ND_TYPE__LOOPBACK) {
		e.has_address = true;
		e.address.data = mnl_attr_get_payload(address);
		e.address.len = mnl_attr_get_payload_len(address);
	}
	if (link.attrs[IFLA_MASTER]) {
		e.has_master = true;
		e.master = mnl_attr_get_u32(link.attrs[IFLA_MASTER]);
	}
	r = netns_conf_read(n->dump, n->ns_id, NETNS_IPV4, link.name, &e.conf4, &e.n_conf4, err);
	if (r == 0)
		r = netns_conf_read(n->dump, n->ns_id, NETNS_IPV6, link.name, &e.conf6, &e.n_conf6,
				    err);
	return r < 0 ? r : image_write(n->image, &e.base, err);
}

static int write_links(struct netns_dump *n, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct nlmsghdr *request;
	int r;

	r = dump_image_create(n->dump, &image, IMG_KIND_NETDEV, n->ns_id, err);
	if (r < 0)
		return r;
	n->image = &image;
	request = netlink_request(&n->nl, RTM_GETLINK, 0);
	(void)mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	r = netlink_dump(&n->nl, request, write_link, n, err);
	return r < 0 ? r : image_finish(&image, err);
}

/* ---------------------------------------------------------- messages as they are */

static int write_message(void *arg, const struct nlmsghdr *message, struct error *err)
{
	struct netns_dump *n = arg;

	return image_write_raw(n->image, message, message->nlmsg_len, err);
}

/* Those that somebody has set by hand; the others are found out again. */
static int write_neighbour(void *arg, const struct nlmsghdr *message, struct error *err)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);

	if (!(neighbour->ndm_state & NUD_PERMANENT) && !(neighbour->ndm_flags & NTF_PROXY))
		return 0;
	return write_message(arg, message, err);
}

static uint32_t table_of(const struct nlmsghdr *message, size_t skip, uint16_t type, uint32_t table)
{
	const struct nlattr *attr;

	netlink_each_attr(attr, message, skip)
	{
		if (mnl_attr_get_type(attr) == type)
			table = mnl_attr_get_u32(attr);
	}
	return table;
}

/* The kernel has those of the addresses themselves made, and will again. */
static int write_route(void *arg, const struct nlmsghdr *message, struct error *err)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);

	if (route->rtm_flags & RTM_F_CLONED)
		return 0;
	if (table_of(message, sizeof(*route), RTA_TABLE, route->rtm_table) == RT_TABLE_LOCAL &&
	    route->rtm_protocol == RTPROT_KERNEL)
		return 0;
	return write_message(arg, message, err);
}

/* Of IPv6 the two that each namespace begins with are left where they are. */
static int write_rule(void *arg, const struct nlmsghdr *message, struct error *err)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(message);

	return rule->family == AF_INET6 && netns_rule_is_first(message)
		       ? 0
		       : write_message(arg, message, err);
}

struct messages {
	uint16_t type;
	uint8_t family;
	uint8_t flags; /* of a neighbour */
	int (*each)(void *arg, const struct nlmsghdr *message, struct error *err);
};

static int ask_messages(struct netns_dump *n, const struct messages *m, struct error *err)
{
	struct nlmsghdr *request = netlink_request(&n->nl, m->type, 0);
	int r;

	/* Structures of all of them begin with the family. */
	switch (m->type) {
	case RTM_GETADDR:
		((struct ifaddrmsg *)mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg)))
			->ifa_family = m->family;
		break;
	case RTM_GETNEIGH: {
		struct ndmsg *body = mnl_nlmsg_put_extra_header(request, sizeof(*body));

		body->ndm_family = m->family;
		body->ndm_flags = m->flags;
		break;
	}
	case RTM_GETRULE:
		((struct fib_rule_hdr *)mnl_nlmsg_put_extra_header(request,
								   sizeof(struct fib_rule_hdr)))
			->family = m->family;
		break;
	case RTM_GETNEXTHOP:
		(void)mnl_nlmsg_put_extra_header(request, sizeof(struct nhmsg));
		break;
	default:
		((struct rtmsg *)mnl_nlmsg_put_extra_header(request, sizeof(struct rtmsg)))
			->rtm_family = m->family;
		break;
	}
	r = netlink_dump(&n->nl, request, m->each, n, err);
	/* No IPv6, or none of these objects, in this kernel. */
	return r == -EOPNOTSUPP || r == -EAFNOSUPPORT ? 0 : r;
}

static int write_messages(struct netns_dump *n, enum img_kind kind, uint32_t magic,
			  const struct messages *all, size_t n_all, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int r = dump_image_create(n->dump, &image, kind, n->ns_id, err);

	if (r == 0)
		r = image_write_raw(&image, &magic, sizeof(magic), err);
	n->image = &image;
	for (size_t i = 0; i < n_all && r == 0; i++)
		r = ask_messages(n, &all[i], err);
	return r < 0 ? r : image_finish(&image, err);
}

int netns_write(struct dump *dump, uint32_t id, struct error *err)
{
	/* "ip addr restore" sends back whatever it finds: so CRIU restores the others, too. */
	static const struct messages addresses[] = {
		{ .type = RTM_GETADDR, .family = AF_UNSPEC, .each = write_message },
		{ .type = RTM_GETNEIGH, .family = AF_UNSPEC, .each = write_neighbour },
		{ .type = RTM_GETNEIGH,
		  .family = AF_UNSPEC,
		  .flags = NTF_PROXY,
		  .each = write_neighbour },
		{ .type = RTM_GETNEXTHOP, .each = write_message },
	};
	static const struct messages routes[] = {
		{ .type = RTM_GETROUTE, .family = AF_INET, .each = write_route }
	};
	static const struct messages routes6[] = {
		{ .type = RTM_GETROUTE, .family = AF_INET6, .each = write_route }
	};
	static const struct messages rules[] = {
		{ .type = RTM_GETRULE, .family = AF_INET, .each = write_rule },
		{ .type = RTM_GETRULE, .family = AF_INET6, .each = write_rule },
	};
	struct netns_dump n = { .dump = dump, .nl = NETLINK_INIT, .ns_id = id };
	int r = netlink_open(&n.nl, NETLINK_ROUTE, err);

	if (r == 0)
		r = write_links(&n, err);
	if (r == 0)
		r = write_messages(&n, IMG_KIND_IFADDR, NETNS_MAGIC_ADDR, addresses,
				   ARRAY_SIZE(addresses), err);
	if (r == 0)
		r = write_messages(&n, IMG_KIND_ROUTE, NETNS_MAGIC_ROUTE, routes, 1, err);
	if (r == 0)
		r = write_messages(&n, IMG_KIND_ROUTE6, NETNS_MAGIC_ROUTE, routes6, 1, err);
	if (r == 0)
		r = write_messages(&n, IMG_KIND_RULE, NETNS_MAGIC_RULE, rules, ARRAY_SIZE(rules),
				   err);
	if (r == 0)
		r = netns_filters_write(dump, id, err);
	if (r == 0)
		r = write_conf(&n, err);
	netlink_done(&n.nl);
	return r < 0 ? err_wrap(err, r, "network namespace of the tree") : 0;
}
