/*
 * mqueues: POSIX message queues, with and without a name, and what is in them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;
struct error;
struct fd_look;
struct restore;
struct tape;

bool mqueue_is(const struct fd_look *look);

/* The caller is in the namespace with that number: which queues it has. */
int mqueue_collect(struct dump *dump, uint32_t ns_id, struct error *err);
/* Their messages: the root task takes them out and puts them back, by itself. */
int mqueue_copy_messages(struct dump *dump, struct error *err);
/* When all descriptors are known. */
int mqueue_write(struct dump *dump, struct error *err);

/* What the queues of a namespace need that its settings may no longer allow. */
struct mqueue_needs {
	uint64_t queues;
	uint64_t messages; /* in the largest queue */
	uint64_t message;  /* bytes of the largest */
};

int mqueue_needs_of(struct restore *r, uint32_t ns_id, struct mqueue_needs *ret, struct error *err);
/* R's tape, in the namespace with that number: its queues are made. */
int mqueue_tape_queues(struct restore *r, uint32_t ns_id, struct error *err);
