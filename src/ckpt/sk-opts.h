/*
 * sk-opts: socket options that every family has.
 */
#pragma once

#include "img/pb/sk-opts.pb-c.h"

struct area;
struct arena;
struct error;
struct tape;

/* Fills the entry; what it points to lives in the arena. `where` is for messages. */
int sk_opts_dump(int fd, const char *where, struct arena *arena, SkOptsEntry *opts,
		 struct error *err);

/* R's tape: descriptor `staging` gets them. */
void sk_opts_tape(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts);
