#include "ckpt/packet-diag.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/netlink.h"
#include "ckpt/dump-priv.h"

static PacketRing *take_ring(struct arena *arena, const struct nlattr *attr)
{
	const struct packet_diag_ring *told = mnl_attr_get_payload(attr);
	PacketRing *ring = arena_new(arena, PacketRing);

	if (!ring || mnl_attr_get_payload_len(attr) < sizeof(*told))
		return NULL;
	packet_ring__init(ring);
	ring->block_size = told->pdr_block_size;
	ring->block_nr = told->pdr_block_nr;
	ring->frame_size = told->pdr_frame_size;
	ring->frame_nr = told->pdr_frame_nr;
	ring->retire_tmo = told->pdr_retire_tmo;
	ring->sizeof_priv = told->pdr_sizeof_priv;
	ring->features = told->pdr_features;
	return ring;
}

/* A membership taken twice is one with a count; it must be left twice, too. */
static void take_memberships(struct arena *arena, const struct nlattr *attr, PacketSockEntry *e)
{
	const struct packet_diag_mclist *told = mnl_attr_get_payload(attr);
	size_t n = mnl_attr_get_payload_len(attr) / sizeof(*told);
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += told[i].pdmc_count;
	if (!sum || sum > UINT16_MAX)
		return;
	e->mclist = arena_new_array(arena, PacketMclist *, sum);
	for (size_t i = 0; e->mclist && i < n; i++) {
		for (uint32_t count = 0; count < told[i].pdmc_count; count++) {
			PacketMclist *m = arena_new(arena, PacketMclist);
			size_t len = told[i].pdmc_alen;

			if (!m || len > sizeof(told[i].pdmc_addr))
				return;
			packet_mclist__init(m);
			m->index = told[i].pdmc_index;
			m->type = told[i].pdmc_type;
			m->addr.data = arena_memdup(arena, told[i].pdmc_addr, len ? len : 1);
			m->addr.len = len;
			e->mclist[e->n_mclist++] = m;
		}
	}
}

static void take_info(const struct nlattr *attr, PacketSockEntry *e)
{
	const struct packet_diag_info *told = mnl_attr_get_payload(attr);

	if (mnl_attr_get_payload_len(attr) < sizeof(*told))
		return;
	e->ifindex = told->pdi_index;
	e->version = told->pdi_version;
	e->reserve = told->pdi_reserve;
	e->timestamp = told->pdi_tstamp;
	e->copy_thresh = told->pdi_copy_thresh;
	e->aux_data = told->pdi_flags & PDI_AUXDATA;
	e->orig_dev = told->pdi_flags & PDI_ORIGDEV;
	e->vnet_hdr = told->pdi_flags & PDI_VNETHDR;
	e->loss = told->pdi_flags & PDI_LOSS;
}

static int take(void *arg, const struct nlmsghdr *message, struct error *err)
{
	const struct packet_diag_msg *body = mnl_nlmsg_get_payload(message);
	struct dump *dump = arg;
	struct packet_diag *diag = arena_new(&dump->arena, struct packet_diag);
	const struct nlattr *attr;

	if (!diag)
		return err_oom(err);
	packet_sock_entry__init(&diag->entry);
	diag->ino = body->pdiag_ino;
	diag->entry.type = body->pdiag_type;
	diag->entry.protocol = htons(body->pdiag_num);
	netlink_each_attr(attr, message, sizeof(*body))
	{
		switch (mnl_attr_get_type(attr)) {
		case PACKET_DIAG_INFO:
			take_info(attr, &diag->entry);
			break;
		case PACKET_DIAG_MCLIST:
			take_memberships(&dump->arena, attr, &diag->entry);
			break;
		case PACKET_DIAG_RX_RING:
			diag->entry.rx_ring = take_ring(&dump->arena, attr);
			break;
		case PACKET_DIAG_TX_RING:
			diag->entry.tx_ring = take_ring(&dump->arena, attr);
			break;
		case PACKET_DIAG_FANOUT:
			diag->entry.has_fanout = true;
			diag->entry.fanout = mnl_attr_get_u32(attr);
			break;
		default:
			break;
		}
	}
	diag->next = dump->packet_sockets;
	dump->packet_sockets = diag;
	return arena_ok(&dump->arena) ? 0 : err_oom(err);
}

static int load(struct dump *dump, struct error *err)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	struct nlmsghdr *request;
	struct packet_diag_req *body;
	int r = netlink_open_at(&nl, NETLINK_SOCK_DIAG, dump->opts->pid, err);

	if (r < 0)
		return r;
	request = netlink_request(&nl, SOCK_DIAG_BY_FAMILY, 0);
	body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	body->sdiag_family = AF_PACKET;
	body->pdiag_show =
		PACKET_SHOW_INFO | PACKET_SHOW_MCLIST | PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT;
	return netlink_dump(&nl, request, take, dump, err);
}

int packet_diag_find(struct dump *dump, uint32_t ino, const struct packet_diag **ret,
		     struct error *err)
{
	int r = dump->packet_sockets ? 0 : load(dump, err);

	*ret = NULL;
	if (r == -ENOENT)
		return err_set(err, -EOPNOTSUPP,
			       "this kernel does not tell about packet sockets "
			       "(CONFIG_PACKET_DIAG)");
	if (r < 0)
		return err_wrap(err, r, "ask for packet sockets");
	for (const struct packet_diag *p = dump->packet_sockets; p && !*ret; p = p->next)
		if (p->ino == ino)
			*ret = p;
	return 0;
}
