/*
 * sk-netlink: AF_NETLINK sockets: their number, groups and peer.
 *
 * What waits in one are answers and news of the kernel of that moment, which
 * can't be put there again: refused. The numbers are mostly process ids, chosen
 * by the kernel; one that is taken now is replaced by another, as CRIU does.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/sk-netns.h"
#include "ckpt/sk-opts.h"
#include "img/image.h"
#include "img/pb/sk-netlink.pb-c.h"

#ifndef NETLINK_LIST_MEMBERSHIPS
#define NETLINK_LIST_MEMBERSHIPS 9
#endif

#define GROUP_WORDS_MAX 64

/* ----------------------------------------------------------------------- dump */

static int get_names(const struct dump_fd *fd, NetlinkSkEntry *entry, struct error *err)
{
	struct sockaddr_nl own = { 0 };
	struct sockaddr_nl peer = { 0 };
	socklen_t len = sizeof(own);
	socklen_t peer_len = sizeof(peer);
	socklen_t protocol_len = sizeof(entry->protocol);

	if (getsockname(fd->fd, (struct sockaddr *)&own, &len) < 0 ||
	    getpeername(fd->fd, (struct sockaddr *)&peer, &peer_len) < 0 ||
	    getsockopt(fd->fd, SOL_SOCKET, SO_PROTOCOL, &entry->protocol, &protocol_len) < 0)
		return err_sys(err, "%s: address of the netlink socket", fd->look.where);
	entry->portid = own.nl_pid;
	entry->dst_portid = peer.nl_pid;
	entry->dst_group = (uint32_t)ffs((int)peer.nl_groups);
	entry->state = peer.nl_pid || peer.nl_groups; /* NETLINK_CONNECTED */
	return 0;
}

static int get_groups(const struct dump_fd *fd, NetlinkSkEntry *entry,
		      uint32_t groups[GROUP_WORDS_MAX], struct error *err)
{
	socklen_t len = GROUP_WORDS_MAX * sizeof(*groups);

	if (getsockopt(fd->fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &len) < 0)
		return err_sys(err, "%s: groups of the netlink socket", fd->look.where);
	entry->n_groups = len / sizeof(*groups);
	if (entry->n_groups > GROUP_WORDS_MAX)
		return err_set(err, -EOPNOTSUPP,
			       "%s: netlink socket: it has joined too many groups", fd->look.where);
	while (entry->n_groups && !groups[entry->n_groups - 1])
		entry->n_groups--;
	entry->groups = groups;
	return 0;
}

static int refuse_waiting(const struct dump_fd *fd, struct error *err)
{
	struct pollfd look = { .fd = fd->fd, .events = POLLIN };
	int r;

	if (poll(&look, 1, 0) <= 0 || !(look.revents & POLLIN))
		return 0;
	r = err_set(err, -EOPNOTSUPP, "%s: netlink socket: messages of the kernel wait in it",
		    fd->look.where);
	err_hint(err, "try again when they are read");
	return r;
}

int netlink_sk_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	NetlinkSkEntry entry = NETLINK_SK_ENTRY__INIT;
	uint32_t groups[GROUP_WORDS_MAX] = { 0 };
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	int r = refuse_waiting(fd, err);

	if (r == 0)
		r = get_names(fd, &entry, err);
	if (r == 0)
		r = get_groups(fd, &entry, groups, err);
	if (r == 0)
		r = sk_netns_id(dump, fd->fd, fd->look.where, &entry.ns_id, err);
	if (r == 0)
		r = sk_opts_dump(dump, fd->fd, fd->look.where, &opts, err);
	if (r < 0)
		return r;
	entry.has_ns_id = true;
	entry.id = fd->id;
	entry.ino = (uint32_t)fd->look.st.st_ino;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	entry.opts = &opts;
	file.type = FD_TYPES__NETLINKSK;
	file.id = fd->id;
	file.nlsk = &entry;
	return image_write(&dump->files, &file.base, err);
}

/* -------------------------------------------------------------------- restore */

static struct tape_arg fd_of(const struct rfile *file)
{
	return tape_imm((uint64_t)file->staging);
}

static void tape_bind(struct restore *r, struct tape *tape, const struct rfile *file)
{
	const NetlinkSkEntry *e = file->entry->nlsk;
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = e->portid };
	uint32_t entry;

	if (!e->portid)
		return;
	entry = tape_call(tape, SYS_bind,
			  TAPE_ARGS(fd_of(file), tape_at(area_add(&r->area, &name, sizeof(name))),
				    tape_imm(sizeof(name))),
			  "binding netlink socket %u to number %u", e->id, e->portid);
	tape_expect(tape, entry, PIE_RULE_OK_OR, EADDRINUSE);
	/* If that number was free this does nothing. */
	name.nl_pid = 0;
	entry = tape_call(tape, SYS_bind,
			  TAPE_ARGS(fd_of(file), tape_at(area_add(&r->area, &name, sizeof(name))),
				    tape_imm(sizeof(name))),
			  "binding netlink socket %u to any number", e->id);
	tape_expect(tape, entry, PIE_RULE_OK_OR, EINVAL);
}

static void tape_groups(struct restore *r, struct tape *tape, const struct rfile *file)
{
	const NetlinkSkEntry *e = file->entry->nlsk;

	for (size_t i = 0; i < 32 * e->n_groups; i++) {
		uint32_t group = (uint32_t)i + 1;

		if (!(e->groups[i / 32] >> (i % 32) & 1))
			continue;
		tape_call(tape, SYS_setsockopt,
			  TAPE_ARGS(fd_of(file), tape_imm(SOL_NETLINK),
				    tape_imm(NETLINK_ADD_MEMBERSHIP),
				    tape_at(area_add(&r->area, &group, sizeof(group))),
				    tape_imm(sizeof(group))),
			  "netlink socket %u joins group %u", e->id, group);
	}
}

static void tape_connect(struct restore *r, struct tape *tape, const struct rfile *file)
{
	const NetlinkSkEntry *e = file->entry->nlsk;
	struct sockaddr_nl peer = { .nl_family = AF_NETLINK, .nl_pid = e->dst_portid };

	if (!e->state || e->dst_group > 32)
		return;
	peer.nl_groups = e->dst_group ? 1u << (e->dst_group - 1) : 0;
	tape_call(tape, SYS_connect,
		  TAPE_ARGS(fd_of(file), tape_at(area_add(&r->area, &peer, sizeof(peer))),
			    tape_imm(sizeof(peer))),
		  "connecting netlink socket %u to %u", e->id, e->dst_portid);
}

int netlink_sk_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const NetlinkSkEntry *e = file->entry->nlsk;
	uint32_t slot, flags;
	int ret;

	if (!e || e->n_groups > GROUP_WORDS_MAX)
		return err_set(err, -EBADMSG, "files.img: netlink socket %u has no good record",
			       file->entry->id);
	ret = sk_netns_check(r, e->id, e->has_ns_id ? e->ns_id : 0, err);
	if (ret < 0)
		return ret;
	slot = tape_call(tape, SYS_socket,
			 TAPE_ARGS(tape_imm(AF_NETLINK), tape_imm(SOCK_RAW | SOCK_CLOEXEC),
				   tape_imm(e->protocol)),
			 "making netlink socket %u of protocol %u", e->id, e->protocol);
	ret = rfile_stage(r, tape, file, slot, err);
	if (ret < 0)
		return ret;
	sk_opts_tape_early(&r->area, tape, file->staging, e->opts);
	tape_bind(r, tape, file);
	tape_groups(r, tape, file);
	tape_connect(r, tape, file);
	sk_opts_tape(&r->area, tape, file->staging, e->opts);
	flags = e->flags & (O_NONBLOCK | O_ASYNC);
	if (flags)
		tape_call(tape, SYS_fcntl,
			  TAPE_ARGS(fd_of(file), tape_imm(F_SETFL), tape_imm(flags)),
			  "flags of netlink socket %u", e->id);
	return 0;
}
