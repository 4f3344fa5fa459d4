/*
 * sk-packet: AF_PACKET sockets: device, protocol, memberships, rings, fanout.
 *
 * What is in a ring is in the memory of its kernel and in no image: packets
 * that wait are lost, as the network may lose any.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/packet-diag.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sk-netns.h"
#include "ckpt/sk-opts.h"
#include "img/image.h"

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif

#define OLD_SORT 10 /* SOCK_PACKET */

int packet_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	uint32_t ino = (uint32_t)fd->look.st.st_ino;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	const struct packet_diag *diag = NULL;
	FileEntry file = FILE_ENTRY__INIT;
	PacketSockEntry entry;
	uint32_t ns_id = 0;
	int r = sk_netns_id(dump, fd->fd, fd->look.where, &ns_id, err);

	if (r == 0)
		r = packet_diag_find(dump, ino, &diag, err);
	if (r == 0 && !diag)
		r = err_set(err, -EOPNOTSUPP, "the kernel does not tell about it");
	if (r < 0)
		return err_wrap(err, r, "%s: packet socket", fd->look.where);
	r = sk_opts_dump(dump, fd->fd, fd->look.where, &opts, err);
	if (r < 0)
		return r;
	entry = diag->entry;
	entry.id = fd->id;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	entry.opts = &opts;
	entry.has_ns_id = true;
	entry.ns_id = ns_id;
	file.type = FD_TYPES__PACKETSK;
	file.id = fd->id;
	file.psk = &entry;
	return image_write(&dump->files, &file.base, err);
}

/* -------------------------------------------------------------------- restore */

struct packet {
	struct restore *r;
	struct tape *tape;
	const struct rfile *file;
};

static struct tape_arg fd_of(const struct packet *p)
{
	return tape_imm((uint64_t)p->file->staging);
}

static void tape_set(const struct packet *p, int name, const void *value, size_t len,
		     const char *what)
{
	tape_call(p->tape, SYS_setsockopt,
		  TAPE_ARGS(fd_of(p), tape_imm(SOL_PACKET), tape_imm((uint64_t)name),
			    tape_at(area_add(&p->r->area, value, len)), tape_imm(len)),
		  "%s of packet socket %u", what, p->file->entry->id);
}

static void tape_u32(const struct packet *p, int name, uint32_t value, const char *what)
{
	if (value)
		tape_set(p, name, &value, sizeof(value), what);
}

/* The old sort is bound by the name of a device, which R has to ask for. */
static void tape_bind_old(const struct packet *p)
{
	const PacketSockEntry *e = p->file->entry->psk;
	struct ifreq request = { .ifr_ifindex = (int)e->ifindex };
	struct sockaddr name = { .sa_family = AF_PACKET };
	uint64_t at = area_add(&p->r->area, &request, sizeof(request));
	uint64_t name_at = area_add(&p->r->area, &name, sizeof(name));

	if (!e->ifindex)
		return;
	tape_call(p->tape, SYS_ioctl, TAPE_ARGS(fd_of(p), tape_imm(SIOCGIFNAME), tape_at(at)),
		  "device %u of packet socket %u", e->ifindex, e->id);
	tape_op(p->tape, PIE_OP_COPY,
		TAPE_ARGS(tape_at(name_at + offsetof(struct sockaddr, sa_data)), tape_at(at),
			  tape_imm(sizeof(name.sa_data) - 1)),
		"device %u of packet socket %u", e->ifindex, e->id);
	tape_call(p->tape, SYS_bind, TAPE_ARGS(fd_of(p), tape_at(name_at), tape_imm(sizeof(name))),
		  "binding packet socket %u to device %u", e->id, e->ifindex);
}

static void tape_bind(const struct packet *p)
{
	const PacketSockEntry *e = p->file->entry->psk;
	struct sockaddr_ll name = { .sll_family = AF_PACKET,
				    .sll_protocol = (uint16_t)e->protocol,
				    .sll_ifindex = (int)e->ifindex };

	tape_call(p->tape, SYS_bind,
		  TAPE_ARGS(fd_of(p), tape_at(area_add(&p->r->area, &name, sizeof(name))),
			    tape_imm(sizeof(name))),
		  "binding packet socket %u to device %u", e->id, e->ifindex);
}

static int tape_memberships(const struct packet *p, struct error *err)
{
	const PacketSockEntry *e = p->file->entry->psk;

	for (size_t i = 0; i < e->n_mclist; i++) {
		const PacketMclist *m = e->mclist[i];
		struct {
			int index;
			unsigned short type;
			unsigned short len;
			unsigned char address[32]; /* MAX_ADDR_LEN */
		} request = { (int)m->index, (unsigned short)m->type, (unsigned short)m->addr.len };

		if (m->addr.len > sizeof(request.address))
			return err_set(err, -EBADMSG,
				       "files.img: packet socket %u has an address of %zu bytes",
				       e->id, m->addr.len);
		memcpy(request.address, m->addr.data, m->addr.len);
		tape_set(p, PACKET_ADD_MEMBERSHIP, &request, sizeof(request), "membership");
	}
	return 0;
}

static void tape_ring(const struct packet *p, int name, const PacketRing *ring)
{
	struct tpacket_req3 request;

	if (!ring)
		return;
	request = (struct tpacket_req3){
		.tp_block_size = ring->block_size,
		.tp_block_nr = ring->block_nr,
		.tp_frame_size = ring->frame_size,
		.tp_frame_nr = ring->frame_nr,
		.tp_retire_blk_tov = ring->retire_tmo,
		.tp_sizeof_priv = ring->sizeof_priv,
		.tp_feature_req_word = ring->features,
	};
	/* Only the third version knows the last three. */
	tape_set(p, name, &request,
		 p->file->entry->psk->version == TPACKET_V3 ? sizeof(request)
							    : sizeof(struct tpacket_req),
		 "ring");
}

static int tape_settings(const struct packet *p, struct error *err)
{
	const PacketSockEntry *e = p->file->entry->psk;
	int ret;

	tape_u32(p, PACKET_VERSION, e->version, "version");
	tape_u32(p, PACKET_RESERVE, e->reserve, "head room");
	tape_u32(p, PACKET_TIMESTAMP, e->timestamp, "time stamps");
	tape_u32(p, PACKET_COPY_THRESH, e->copy_thresh, "copy threshold");
	tape_u32(p, PACKET_AUXDATA, e->aux_data ? 1 : 0, "auxiliary data");
	tape_u32(p, PACKET_ORIGDEV, e->orig_dev ? 1 : 0, "original device");
	tape_u32(p, PACKET_VNET_HDR, e->vnet_hdr ? 1 : 0, "virtual header");
	tape_u32(p, PACKET_LOSS, e->loss ? 1 : 0, "loss");
	ret = tape_memberships(p, err);
	if (ret < 0)
		return ret;
	tape_ring(p, PACKET_RX_RING, e->rx_ring);
	tape_ring(p, PACKET_TX_RING, e->tx_ring);
	if (e->has_fanout && e->fanout != UINT32_MAX)
		tape_set(p, PACKET_FANOUT, &e->fanout, sizeof(e->fanout), "fanout");
	return 0;
}

int packet_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const struct packet p = { .r = r, .tape = tape, .file = file };
	const PacketSockEntry *e = file->entry->psk;
	uint32_t slot, flags;
	int ret;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: packet socket %u has no record",
			       file->entry->id);
	ret = sk_netns_check(r, e->id, e->has_ns_id ? e->ns_id : 0, err);
	if (ret < 0)
		return ret;
	/* With a protocol it would begin to hear all devices at once. */
	slot = tape_call(tape, SYS_socket,
			 TAPE_ARGS(tape_imm(AF_PACKET), tape_imm(e->type | SOCK_CLOEXEC),
				   tape_imm(e->type == OLD_SORT ? e->protocol : 0)),
			 "making packet socket %u", e->id);
	ret = rfile_stage(r, tape, file, slot, err);
	if (ret < 0)
		return ret;
	/* Its filter before anything can be heard. */
	sk_opts_tape(&r->area, tape, file->staging, e->opts);
	if (e->type == OLD_SORT) {
		tape_bind_old(&p);
	} else {
		tape_bind(&p);
		ret = tape_settings(&p, err);
	}
	flags = e->flags & (O_NONBLOCK | O_ASYNC);
	if (flags)
		tape_call(tape, SYS_fcntl, TAPE_ARGS(fd_of(&p), tape_imm(F_SETFL), tape_imm(flags)),
			  "flags of packet socket %u", e->id);
	return ret;
}
