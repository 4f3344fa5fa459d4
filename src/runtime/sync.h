/*
 * sync: what a container's first process and its maker say to each other
 * until it waits for `start`.
 *
 * A socket pair; messages keep their borders. The end of the maker closes it,
 * which the process takes as the order to end: so nothing half-made survives.
 */
#pragma once

#include <stdint.h>

struct error;

enum sync_kind {
	SYNC_GO,     /* maker: on with it (ids are mapped, groups joined, hooks were run) */
	SYNC_HOOKS,  /* process: mounts are there, run the hooks that want to see them */
	SYNC_READY,  /* process: all is set */
	SYNC_FAILED, /* process: the error that follows; it ends now */
};

int sync_pair(int *ret_ours, int *ret_theirs, struct error *err);
int sync_send(int fd, enum sync_kind kind, struct error *err);
void sync_send_failure(int fd, const struct error *failure);

/* Waits for a message of that kind. The other's failure is returned as ours; -EPIPE: it ended
 * without a word. */
int sync_expect(int fd, enum sync_kind kind, struct error *err);

/* Waits for either of two kinds and returns the one that came. */
int sync_expect_either(int fd, enum sync_kind one, enum sync_kind two, struct error *err);
