#include "ckpt/sk-unix-restore.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/sk-packet.pb-c.h"

#define ROOMY (64 << 20)
#define RIGHTS_MAX 253		    /* the kernel's own limit for a message */
#define PLENTY ((uint64_t)32 << 10) /* what fits into any send buffer */

static int by_socket(const void *a, const void *b)
{
	const struct packet *x = a;
	const struct packet *y = b;

	if (x->socket != y->socket)
		return x->socket < y->socket ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

int unix_load_packets(struct socks *all, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct restore *r = all->r;
	SkPacketEntry *entry = NULL;
	size_t size = 0;
	int ret = image_open(&image, r->opts->images_dir, IMG_KIND_SK_QUEUES, 0, NULL);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return image_open(&image, r->opts->images_dir, IMG_KIND_SK_QUEUES, 0, err);
	while ((ret = image_read(&image, &r->arena, &entry, err)) > 0) {
		struct packet *p;

		if (entry->length > image_left(&image))
			return err_set(err, -EBADMSG, "%s: a message beyond the end", image.name);
		if (all->n_packets == size) {
			size = size ? 2 * size : 64;
			p = reallocarray(all->packets, size, sizeof(*p));
			if (!p)
				return err_oom(err);
			all->packets = p;
		}
		p = &all->packets[all->n_packets];
		*p = (struct packet){ .socket = entry->id_for,
				      .length = entry->length,
				      .order = all->n_packets,
				      .entry = entry };
		all->n_packets++;
		p->at = area_alloc(&r->area, entry->length + 1, 8);
		if (!p->at)
			return err_oom(err);
		ret = image_read_raw(&image, area_data(&r->area, p->at), entry->length, err);
		if (ret < 0)
			return ret;
	}
	if (all->n_packets)
		qsort(all->packets, all->n_packets, sizeof(*all->packets), by_socket);
	return ret;
}

/* The first packet of that socket; NULL: it has none. */
const struct packet *unix_packets_of(const struct socks *all, const struct sock *s)
{
	size_t low = 0;
	size_t high = all->n_packets;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all->packets[middle].socket < s->e->id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < all->n_packets && all->packets[low].socket == s->e->id ? &all->packets[low]
									    : NULL;
}

/* ----------------------------------------------------------------------- data */

static void tape_room(struct socks *all, int staging)
{
	static const int options[] = { SO_SNDBUF, SO_SNDBUFFORCE };
	int room = ROOMY;

	/* In a user namespace it is as much as the system gives anybody. */
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		uint32_t entry =
			tape_call(all->tape, SYS_setsockopt,
				  TAPE_ARGS(tape_imm((uint64_t)staging), tape_imm(SOL_SOCKET),
					    tape_imm((uint64_t)options[i]),
					    tape_at(area_add(&all->r->area, &room, sizeof(room))),
					    tape_imm(sizeof(room))),
				  "room for what waits in unix sockets");

		if (options[i] == SO_SNDBUFFORCE)
			tape_expect(all->tape, entry, PIE_RULE_OK_OR, EPERM);
	}
}

/* Room for any message's descriptors and credentials. */
struct control {
	struct cmsghdr head;
	char data[CMSG_SPACE(RIGHTS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

static int put_rights(struct socks *all, const ScmEntry *scm, struct cmsghdr *c, struct error *err)
{
	if (scm->n_rights > RIGHTS_MAX)
		return err_set(err, -EBADMSG, "sk-queues.img: a message with %zu descriptors",
			       scm->n_rights);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(scm->n_rights * sizeof(int));
	for (size_t i = 0; i < scm->n_rights; i++) {
		struct rfile *file = files_find(all->r, scm->rights[i]);
		int ret = 0;

		if (!file)
			return err_set(err, -EBADMSG, "no file %u in files.img", scm->rights[i]);
		if (!file->planned)
			ret = file_tape(all->r, all->tape, file, err);
		if (ret < 0)
			return err_wrap(err, ret, "descriptor in a socket's queue");
		if (file->staging < 0 || file->entry->type == FD_TYPES__PIDFD)
			return err_set(err, -EOPNOTSUPP,
				       "file %u lies in a socket's queue, and can't be rebuilt "
				       "there",
				       scm->rights[i]);
		memcpy(CMSG_DATA(c) + i * sizeof(int), &file->staging, sizeof(int));
	}
	return 0;
}

/*
 * The kernel wants a sender that exists; what it keeps is the number. So a
 * child with that number is there while the message is sent, unless there is
 * somebody already. Returns the entry that made it.
 */
static uint32_t tape_sender(struct socks *all, uint32_t pid, struct error *err)
{
	struct clone_args args = { .exit_signal = 0 };
	struct tape *child = area_add_tape(&all->r->area, pid, "sender");
	int32_t tid = (int32_t)pid;
	uint32_t entry;

	if (!child) {
		(void)err_oom(err); /* area_seal() tells it, too */
		return 0;
	}
	tape_call(child, SYS_exit_group, TAPE_ARGS(tape_imm(0)), "ending at once");
	args.set_tid = area_add(&all->r->area, &tid, sizeof(tid));
	args.set_tid_size = 1;
	entry = tape_fork(all->tape, area_add(&all->r->area, &args, sizeof(args)), child,
			  "a sender with process id %u", pid);
	tape_expect(all->tape, entry, PIE_RULE_OK_OR, EEXIST);
	return entry;
}

/* One message as it was sent: with what came with it. */
static int tape_send(struct socks *all, const struct sock *s, int from, const struct packet *p,
		     uint64_t address, size_t len, struct error *err)
{
	struct control control = { .head = { .cmsg_len = 0 } };
	struct msghdr control_end = { .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&control_end);
	struct iovec part = { .iov_len = p->length };
	struct msghdr header = { .msg_iovlen = 1 };
	struct restore *r = all->r;
	const ScmEntry *creds = NULL;
	uint32_t entry, sender = 0;
	size_t size = 0;

	for (size_t i = 0; i < p->entry->n_scm; i++) {
		const ScmEntry *scm = p->entry->scm[i];
		int ret = 0;

		if (scm->type == SCM_RIGHTS && !size) {
			ret = put_rights(all, scm, c, err);
		} else if (scm->type == SCM_CREDENTIALS && scm->n_rights == 3 && !creds) {
			struct ucred who = { .pid = (pid_t)scm->rights[0],
					     .uid = scm->rights[1],
					     .gid = scm->rights[2] };

			creds = scm;
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_CREDENTIALS;
			c->cmsg_len = CMSG_LEN(sizeof(who));
			memcpy(CMSG_DATA(c), &who, sizeof(who));
		} else {
			ret = err_set(err, -EOPNOTSUPP,
				      "sk-queues.img: a message with something of type %u",
				      scm->type);
		}
		if (ret < 0)
			return ret;
		size += CMSG_ALIGN(c->cmsg_len);
		c = (struct cmsghdr *)((char *)&control + size);
	}
	part.iov_base = (void *)(uintptr_t)restore_addr(r, p->at);
	header.msg_iov =
		(void *)(uintptr_t)restore_addr(r, area_add(&r->area, &part, sizeof(part)));
	if (size) {
		header.msg_control =
			(void *)(uintptr_t)restore_addr(r, area_add(&r->area, &control, size));
		header.msg_controllen = size;
	}
	if (len) {
		header.msg_name = (void *)(uintptr_t)restore_addr(r, address);
		header.msg_namelen = (socklen_t)len;
	}
	if (creds && creds->rights[0] != r->root->pid)
		sender = tape_sender(all, creds->rights[0], err);
	entry = tape_call(all->tape, SYS_sendmsg,
			  TAPE_ARGS(tape_imm((uint64_t)from),
				    tape_at(area_add(&r->area, &header, sizeof(header))),
				    tape_imm(MSG_DONTWAIT | MSG_NOSIGNAL)),
			  "%u bytes that wait in unix socket %u", p->length, s->e->id);
	tape_expect(all->tape, entry, PIE_RULE_EQUAL, p->length);
	if (sender) {
		entry = tape_call(all->tape, SYS_wait4,
				  TAPE_ARGS(tape_slot(sender), tape_imm(0), tape_imm(__WALL)),
				  "the sender is gone");
		tape_expect(all->tape, entry, PIE_RULE_OK_OR, ECHILD);
	}
	return 0;
}

int unix_tape_feed(struct socks *all, struct sock *s, struct error *err)
{
	const struct packet *first = unix_packets_of(all, s);
	const struct packet *end = all->packets + all->n_packets;
	struct sock *target = s->e->peer ? unix_find(all, s->e->peer) : NULL;
	uint64_t address = 0, total = 0;
	size_t len = 0;
	int from = s->feeder;
	bool spare = false;

	if (!first || s->fed)
		return 0;
	s->fed = true;
	if (s->pair) {
		from = s->pair->file->staging;
	} else if (from < 0) {
		if (is_stream(s) || !is_named(s))
			return err_set(err, -EOPNOTSUPP,
				       "unix socket %u: nobody can send to it again what waits "
				       "in it",
				       s->e->id);
		/* Connected, it takes from there only; else one that is connected to it is likelier
		 * to have sent this than a stranger. */
		if (!target && s->sources && s->sources->connected) {
			from = s->sources->file->staging;
		} else {
			len = unix_address(all, s, &address);
			unix_tape_enter_dir(all, s);
			spare = !target;
			from = spare ? fd_stage(all->r, err) : target->file->staging;
		}
		if (from < 0)
			return from;
		if (spare)
			unix_tape_socket(all, SOCK_DGRAM, from, s->e->id);
	}
	for (const struct packet *p = first; p < end && p->socket == s->e->id; p++)
		total += p->length;
	if (total > PLENTY)
		tape_room(all, from);
	for (const struct packet *p = first; p < end && p->socket == s->e->id; p++) {
		int ret = tape_send(all, s, from, p, address, len, err);

		if (ret < 0)
			return ret;
	}
	if (spare)
		tape_call(all->tape, SYS_close, TAPE_ARGS(tape_imm((uint64_t)from)),
			  "closing a socket that sent");
	return 0;
}
