/*
 * images: the folders of a checkpoint, and the options both sides check alike.
 */
#pragma once

#include "cryo/dump.h"

struct checkpoint_opts;
struct error;

struct images {
	int dir;
	int work;
	enum cryo_cgroups_mode cgroups;
};

#define IMAGES_INIT                                                                                \
	{                                                                                          \
		.dir = -EBADF, .work = -EBADF                                                      \
	}

/* Opens the folders (`make`: makes them, 0700) and refuses what can't be done. */
int images_open(const struct checkpoint_opts *opts, bool make, struct images *ret,
		struct error *err);
void images_done(struct images *images);

#define cleanup_images __attribute__((cleanup(images_done)))
