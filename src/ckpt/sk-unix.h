/*
 * sk-unix: unix sockets. The dump half besides unix_dump() (fd-kind.h).
 */
#pragma once

struct dump;
struct error;

/* When all tasks were seen: is every other end in the tree? Completes sk-queues.img. */
int unix_finish(struct dump *dump, struct error *err);
void unix_done(struct dump *dump);
