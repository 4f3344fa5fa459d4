/*
 * track: which pages a task has written since the last dump.
 *
 * A userfaultfd in asynchronous write-protect mode (Linux 6.7) belongs to the
 * task's memory, and stands in its descriptor table, at a high number, closed
 * on exec: so it lasts as long as the memory, needs no process of ours, and is
 * gone when the program closes it. Then all pages count as written.
 *
 * Ours is known by the signal of its owner (F_SETSIG), which no userfaultfd
 * ever sends: it is the generation, which goes up with each dump that begins
 * anew. A folder of images holds the generation it began; pages are only left
 * to it when that is still the task's. See docs/design/pre-dump.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct dump;
struct dump_task;
struct error;

/* A copy of a descriptor: is it ours, of this task or of one it was forked from? */
bool track_is_ours(int fd, const char *link);

/* task->track_fd: the task's own, if it has one. */
int track_find(struct dump_task *task, struct error *err);

/* The task is stopped: it gets one, if it has none. */
int track_plant(struct dump_task *task, struct error *err);

/* Begins a generation: all private mappings are tracked. The task may run. */
int track_begin(struct dump *dump, struct dump_task *task, struct error *err);

/* A scan that copies nothing: all pages are write-protected. The task is stopped. */
int track_protect(const struct dump_task *task, struct error *err);

/* Is what that folder holds of the task its memory when its generation began? */
bool track_trusts(const struct dump_task *task, int parent_dir);
