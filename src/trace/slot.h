/*
 * slot: room for a stub in the padding of a target's vDSO.
 *
 * The image of a vDSO ends somewhere in its last page; the rest of that page
 * is zero, mapped, executable, and used by nobody. It is cut into slots, each
 * a header and a stub:
 *
 *	struct slot_head	magic, sequence number, and the area the stub unmaps
 *	stub			(stub.h)
 *
 * A slot that was used is zeroed again. One that is not zero was left by a
 * tracer that died; the thread it belongs to may still be on its way out, so
 * the next one takes another slot, and the oldest when all have been used. (Not
 * zeroed by the next one: a signal handler may have been entered from it.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace/remote-mem.h"
#include "trace/stub.h"

struct error;

#define SLOT_MAGIC 0x6f797263 /* "cryo" */

struct slot_head {
	uint32_t magic;
	uint32_t sequence;
	uint64_t area; /* 0 until it is mapped */
	uint64_t area_size;
	uint64_t pad;
};

struct slot {
	struct slot_head head;
	uint8_t stub[STUB_LEN_MAX];
};

#define SLOT_LEN sizeof(struct slot)
#define SLOTS_MAX 8

struct slot_room {
	struct raddr start; /* of the padding */
	size_t n;	    /* slots in it */
	struct slot_head heads[SLOTS_MAX];
	bool dirty; /* one of them is not zero */
};

/* Where the stub of slot i goes. */
static inline struct raddr slot_stub(const struct slot_room *room, size_t i)
{
	return raddr_add(room->start, i * SLOT_LEN + sizeof(struct slot_head));
}

/*
 * Looks at a process's padding. -EOPNOTSUPP: it has no vDSO, or one without
 * enough padding, or something unknown stands there.
 */
int slot_look(pid_t host_pid, struct slot_room *ret_room, struct error *err);

/* The slot to use next: an empty one, else the oldest. */
size_t slot_choose(const struct slot_room *room, uint32_t *ret_sequence);

/*
 * True if a thread of that process that stands at `rip` is still in a stub, or
 * in an area, that a dead tracer left: it will be out of it in a moment, if it
 * runs. What has come to the area's old address since is no such area.
 */
bool slot_is_leaving(pid_t host_pid, const struct slot_room *room, uint64_t rip);

/* Offset of the padding in a vDSO image, for one that is restored. -EOPNOTSUPP: no room. */
int slot_padding_of(const void *image, size_t len, size_t *ret_offset, struct error *err);
