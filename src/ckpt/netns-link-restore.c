/*
 * netns-link-restore: network devices, with their old numbers.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/netns-restore.h"
#include "ckpt/netns.h"

/* What can be set; the others say what the device does. */
#define FLAGS                                                                                      \
	((unsigned int)(IFF_UP | IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_PROMISC |            \
			IFF_ALLMULTI | IFF_MULTICAST | IFF_DYNAMIC))

#define ADDRESS_MAX 32

static const NetDeviceEntry *find_device(const struct rnetns *n, uint32_t index)
{
	for (size_t i = 0; i < n->n_devices; i++)
		if (n->devices[i]->ifindex == index)
			return n->devices[i];
	return NULL;
}

/* The other end of a veth, if it is in here. */
static const NetDeviceEntry *peer_of(const struct rnetns *n, const NetDeviceEntry *device)
{
	const NetDeviceEntry *peer;

	if (!device->has_peer_ifindex || !device->has_peer_nsid || device->peer_nsid != n->id)
		return NULL;
	peer = find_device(n, device->peer_ifindex);
	return peer && peer->type == ND_TYPE__VETH && peer->peer_ifindex == device->ifindex ? peer
											    : NULL;
}

static int check(const struct rnetns *n, const NetDeviceEntry *device, struct error *err)
{
	int r;

	if (!device->name[0] || strlen(device->name) >= IFNAMSIZ ||
	    device->address.len > ADDRESS_MAX)
		return err_set(err, -EBADMSG, "netdev-%u.img: device %u has a bad name or address",
			       n->id, device->ifindex);
	if (device->has_master && !find_device(n, device->master))
		return err_set(err, -EBADMSG, "netdev-%u.img: device '%s' belongs to no device",
			       n->id, device->name);
	switch (device->type) {
	case ND_TYPE__LOOPBACK:
	case ND_TYPE__BRIDGE:
		return 0;
	case ND_TYPE__VETH:
		if (peer_of(n, device))
			return 0;
		r = err_set(err, -EOPNOTSUPP,
			    "network device '%s': its other end was in another network namespace",
			    device->name);
		break;
	default:
		r = err_set(err, -EOPNOTSUPP,
			    "network device '%s': devices of its kind can't be rebuilt yet",
			    device->name);
		break;
	}
	err_hint(err, "prepare the network outside and hand it over: --join-ns net:FILE");
	return r;
}

int netns_links_check(const struct rnetns *n, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < n->n_devices && r == 0; i++)
		r = check(n, n->devices[i], err);
	return r;
}

/* Body of a message on that device. */
static struct nlmsghdr *request_for(struct netlink *nl, const NetDeviceEntry *device,
				    uint16_t flags)
{
	struct nlmsghdr *request = netlink_request(nl, RTM_NEWLINK, flags);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_index = (int)device->ifindex;
	return request;
}

static void put_identity(struct nlmsghdr *request, const NetDeviceEntry *device)
{
	mnl_attr_put_strz(request, IFLA_IFNAME, device->name);
	mnl_attr_put_u32(request, IFLA_MTU, device->mtu);
	if (device->has_address)
		mnl_attr_put(request, IFLA_ADDRESS, device->address.len, device->address.data);
}

static void put_kind(const struct rnetns *n, struct nlmsghdr *request, const NetDeviceEntry *device)
{
	struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO);

	if (device->type == ND_TYPE__VETH) {
		const NetDeviceEntry *peer = peer_of(n, device);
		struct ifinfomsg *body;
		struct nlattr *data;
		struct nlattr *other;

		mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
		data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
		other = mnl_attr_nest_start(request, VETH_INFO_PEER);
		body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
		body->ifi_index = (int)peer->ifindex;
		put_identity(request, peer);
		mnl_attr_nest_end(request, other);
		mnl_attr_nest_end(request, data);
	} else {
		mnl_attr_put_strz(request, IFLA_INFO_KIND, "bridge");
	}
	mnl_attr_nest_end(request, info);
}

/* Of a pair the first one makes both. */
static bool is_made_by_peer(const struct rnetns *n, size_t index)
{
	const NetDeviceEntry *peer =
		n->devices[index]->type == ND_TYPE__VETH ? peer_of(n, n->devices[index]) : NULL;

	for (size_t i = 0; i < index; i++)
		if (n->devices[i] == peer)
			return true;
	return false;
}

static int make(const struct rnetns *n, struct netlink *nl, size_t index, struct error *err)
{
	const NetDeviceEntry *device = n->devices[index];
	struct nlmsghdr *request;

	if (device->type == ND_TYPE__LOOPBACK || is_made_by_peer(n, index))
		return 0;
	request = request_for(nl, device, NLM_F_CREATE | NLM_F_EXCL);
	put_identity(request, device);
	put_kind(n, request, device);
	return netlink_talk(nl, request, err);
}

/* All devices are there. A bridge takes the mtu of its ports, so that is set once more. */
static int set_up(struct netlink *nl, const NetDeviceEntry *device, struct error *err)
{
	struct nlmsghdr *request;
	struct ifinfomsg *info;
	int r = 0;

	if (device->has_master) {
		request = request_for(nl, device, 0);
		mnl_attr_put_u32(request, IFLA_MASTER, device->master);
		r = netlink_talk(nl, request, err);
	}
	if (r == 0)
		r = netns_conf_write(NETNS_IPV4, device->name, device->conf4, device->n_conf4, NULL,
				     err);
	/* Before it is up: whether there is IPv6 on it at all. */
	if (r == 0 && device->n_conf6) {
		r = netns_conf_set(NETNS_IPV6, device->name, "accept_dad", 0, err);
		if (r == 0)
			r = netns_conf_write(NETNS_IPV6, device->name, device->conf6,
					     device->n_conf6, "accept_dad", err);
	}
	if (r < 0)
		return r;
	request = request_for(nl, device, 0);
	info = mnl_nlmsg_get_payload(request);
	info->ifi_flags = device->flags & FLAGS;
	info->ifi_change = FLAGS;
	mnl_attr_put_u32(request, IFLA_MTU, device->mtu);
	return netlink_talk(nl, request, err);
}

int netns_links_make(struct rnetns *n, struct netlink *nl, struct error *err)
{
	for (size_t i = 0; i < n->n_devices; i++) {
		int r = make(n, nl, i, err);

		if (r < 0)
			return err_wrap(err, r, "make network device '%s'", n->devices[i]->name);
	}
	for (size_t i = 0; i < n->n_devices; i++) {
		int r = set_up(nl, n->devices[i], err);

		if (r < 0)
			return err_wrap(err, r, "set up network device '%s'", n->devices[i]->name);
	}
	return 0;
}

int netns_links_settle(struct rnetns *n, struct error *err)
{
	int r = 0;

	if (n->conf)
		r = netns_conf_write(NETNS_IPV6, "all", n->conf->all_conf6, n->conf->n_all_conf6,
				     NULL, err);
	for (size_t i = 0; i < n->n_devices && r == 0; i++) {
		const NetDeviceEntry *device = n->devices[i];

		r = netns_conf_write(NETNS_IPV6, device->name, device->conf6, device->n_conf6, NULL,
				     err);
	}
	return r;
}
