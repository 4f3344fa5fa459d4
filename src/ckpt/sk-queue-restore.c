#include "ckpt/sk-unix-restore.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/sk-packet.pb-c.h"

#define ROOMY (64 << 20)
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

		if (entry->n_scm)
			return err_set(err, -EOPNOTSUPP,
				       "%s: descriptors lie in a socket's queue; that can't be "
				       "rebuilt yet",
				       image.name);
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
				      .order = all->n_packets };
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
		uint32_t entry = tape_call(
			all->tape, SYS_sendto,
			TAPE_ARGS(tape_imm((uint64_t)from), tape_at(p->at), tape_imm(p->length),
				  tape_imm(MSG_DONTWAIT | MSG_NOSIGNAL),
				  len ? tape_at(address) : tape_imm(0), tape_imm(len)),
			"%u bytes that wait in unix socket %u", p->length, s->e->id);

		tape_expect(all->tape, entry, PIE_RULE_EQUAL, p->length);
	}
	if (spare)
		tape_call(all->tape, SYS_close, TAPE_ARGS(tape_imm((uint64_t)from)),
			  "closing a socket that sent");
	return 0;
}
