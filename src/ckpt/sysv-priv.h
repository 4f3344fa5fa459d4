/*
 * sysv-priv: what the restoring files of System V objects share.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "img/pb/ipc-shm.pb-c.h"

struct restore;
struct rqueue;
struct rset;

struct rsegment {
	const IpcShmEntry *e;
};

struct rsysv {
	struct rsegment *segments;
	size_t n_segments;
	struct rqueue *queues;
	size_t n_queues;
	struct rset *sets;
	size_t n_sets;
	/* Those before are of other namespaces, and planned. */
	size_t first_segment;
	size_t first_queue;
	size_t first_set;
	/* Addresses where R attaches what it fills; the last is used. */
	struct iovec windows[16];
	size_t n_windows;
	uint64_t window_size;
};

struct rsegment *sysv_find_segment(const struct restore *r, uint64_t id);
/* Bytes it takes when attached: whole pages. */
uint64_t rsegment_size(const struct rsegment *s);
