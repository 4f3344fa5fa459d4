/*
 * sk-queue: what waits in unix sockets: data, descriptors, and who sent it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;
struct dump_fd;
struct error;
struct sk_queue_dump;

/* `type`: SOCK_*; `ended`: the other end has shut down sending. */
int sk_queue_dump(struct dump *dump, const struct dump_fd *fd, uint8_t type, bool ended,
		  struct error *err);
/* Descriptors that lie in queues, and in queues of sockets among them; when all tasks were seen. */
int sk_queue_dump_passed(struct dump *dump, struct error *err);
int sk_queue_finish(struct dump *dump, struct error *err);
void sk_queue_done(struct dump *dump);
