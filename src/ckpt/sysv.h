/*
 * sysv: System V shared memory, message queues and semaphores.
 *
 * They belong to an IPC namespace, and are made again with their ids. That is
 * only possible where the tree has one of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/proc-maps.h"
#include "img/pb/vma.pb-c.h"

struct dump;
struct error;
struct restore;
struct rtask;
struct tape;

/* The caller is in the namespace with that number. */
int sysv_write(struct dump *dump, uint32_t id, struct error *err);

/* The semaphores of the namespace that the caller is in; which tasks owe them something: refused.
 */
int sysv_note_sets(struct dump *dump, uint32_t ns_id, struct error *err);
int sysv_check_undo(struct dump *dump, struct error *err);

/* Is that mapping an attached segment? Refused where its id can't be kept. */
bool sysv_is_vma(const struct proc_vma *vma);
int sysv_check_vma(pid_t host_pid, const struct proc_vma *vma, struct error *err);
/* Makes `entry` a mapping of it. */
int sysv_note_vma(struct dump *dump, pid_t host_pid, const struct proc_vma *vma, VmaEntry *entry,
		  struct error *err);

/* What the objects of an IPC namespace need that its settings may no longer allow. */
struct sysv_needs {
	uint64_t message;  /* bytes of the largest one */
	uint64_t queue;	   /* of the largest queue */
	uint64_t queues;   /* how many */
	uint64_t segments; /* how many */
	uint64_t sets;	   /* how many */
	uint64_t set;	   /* semaphores in the largest one */
	uint64_t sems;	   /* in all */
};

/* Before a place for the area is looked for. */
int sysv_load_segments(struct restore *r, struct error *err);
/* The rest of the namespace's images. One namespace after the other is loaded and planned. */
int sysv_load(struct restore *r, uint32_t id, struct sysv_needs *ret_needs, struct error *err);
/* R's tape: all objects of the namespace that was loaded last. */
int sysv_tape(struct restore *r, struct tape *tape, struct error *err);
void sysv_restore_done(struct restore *r);

/* All addresses that attaching the segment of that mapping takes, if only for a moment. */
void sysv_extent(const struct restore *r, const VmaEntry *v, uint64_t *ret_start,
		 uint64_t *ret_end);
/* The task's memory tape, its memory still empty: its segments. */
int sysv_tape_attach(struct restore *r, struct rtask *t, struct error *err);
/* Segments that were removed while attached. R does it when all have attached. */
bool sysv_has_removed(const struct restore *r);
void sysv_tape_remove(struct restore *r);
