/*
 * sk-opts: socket options that every family has.
 */
#pragma once

#include "img/pb/sk-opts.pb-c.h"

struct area;
struct dump;
struct error;
struct tape;

/* Fills the entry; what it points to lives in the dump's arena. `where` is for messages. */
int sk_opts_dump(struct dump *dump, int fd, const char *where, SkOptsEntry *opts,
		 struct error *err);

/* R's tape: what descriptor `staging` must have before it is bound: its device, and the
 * options of its protocol. */
void sk_opts_tape_early(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts);

/* R's tape: descriptor `staging` gets them. */
void sk_opts_tape(struct area *area, struct tape *tape, int staging, const SkOptsEntry *opts);
