/*
 * checkpoint: a running container to disk and back.
 *
 * In userdata: checkpoint/ holds the images, dump.log and stats-dump are what
 * the dump left, restore.log and stats-restore the restore.
 *
 * Whatever fails before the dump is complete, and whatever kills us, leaves
 * the container running: the runtime and its engine see to that. A checkpoint
 * that is complete is one even if we die before we could write it down: the
 * path in the record says that one was begun, checkpoint/inventory.img (the
 * file written last) that it was finished. A failed restore leaves the
 * container exited and the checkpoint as it was.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/strv.h"

struct buf;
struct container;
struct error;
struct export_options;
struct held;
struct pod;

struct checkpoint_options {
	bool keep; /* logs and statistics stay */
	bool leave_running;
	bool stats;	   /* wanted */
	struct strv words; /* for the runtime: "--tcp-established", "--file-locks" */
	const struct export_options *export; /* NULL: none */
};

struct restore_options {
	bool keep; /* the checkpoint, logs and statistics stay */
	bool stats;
	struct strv words;
};

struct checkpoint_result {
	uint64_t runtime_us; /* the time the runtime took */
	json_t *statistics;  /* NULL unless wanted; owned */
};

/* -EBUSY: it does not run. -EIO: the runtime failed, in its words. */
int checkpoint_make(struct pod *pod, struct held *held, const struct checkpoint_options *o,
		    struct checkpoint_result *ret, struct error *err);

/* -EBUSY: it does not run. */
int checkpoint_check_status(const struct container *c, struct error *err);

/*
 * Nothing is stopped or written: what can't be saved is added to *out, a line each, below some
 * a second one "  hint: ...". -EIO: there is something. -EOPNOTSUPP: the runtime can't be asked.
 */
int checkpoint_check(const struct pod *pod, const struct held *held, const struct strv *words,
		     struct buf *out, struct error *err);

/* The lock is free when it returns. -EBUSY: it runs or is paused. -ENOENT: there is no complete
 * checkpoint. */
int checkpoint_restore(struct pod *pod, struct held *held, const struct restore_options *o,
		       struct checkpoint_result *ret, struct error *err);

/*
 * For a held container that does not live, when a restore of it was interrupted
 * by our death: the restore is let finish, and if it succeeded the container is
 * written down as running: 1. It must not be thrown away and restored once
 * more: what it has done since would be done twice.
 */
int checkpoint_adopt_restore(struct pod *pod, struct held *held, struct error *err);

/*
 * For a container whose processes were found gone: did a checkpoint that was
 * begun get complete? Then it is written into the record: 1.
 */
int checkpoint_adopt(const struct pod *pod, struct container *c, struct error *err);
