/*
 * watches-restore: what inotify and fanotify watch is watched again last of all.
 *
 * Restoring opens, reads and closes files, which would be events. So R makes
 * empty instances with the other files, keeps them, and adds what they watch
 * when all tasks have closed what they will close.
 */
#pragma once

#include <stdint.h>

#include "img/pb/fsnotify.pb-c.h"

struct error;
struct restore;
struct rfile;
struct rtask;
struct tape;

/* R's tape: the instance that `slot` returned; kept until its watches are added. */
int watches_stage(struct restore *r, struct tape *tape, struct rfile *file, uint32_t slot,
		  uint32_t flags, struct error *err);

/* R's tape opens what is watched; *ret_link: area, a path that leads to it from there. */
int watches_target(struct restore *r, struct tape *tape, uint32_t sdev, uint64_t ino,
		   const FhEntry *handle, uint64_t *ret_link, struct error *err);
/* The same for any path. */
void watches_path(struct restore *r, struct tape *tape, const char *path, uint64_t *ret_link);
const char *watches_name(const FhEntry *handle);

/* Before a task's become tape closes what it kept: what R's needs longer than that. */
int watches_hold(struct restore *r, struct rtask *t, struct error *err);

/* A task's become tape, when it has closed all but its own: R's adds them all. */
int watches_tape(struct restore *r, struct rtask *t, struct error *err);

void watches_done(struct restore *r);

/* inotify.c, fanotify.c: what one instance watches. */
int inotify_tape_watches(struct restore *r, struct tape *tape, const struct rfile *file,
			 struct error *err);
int fanotify_tape_watches(struct restore *r, struct tape *tape, const struct rfile *file,
			  struct error *err);
