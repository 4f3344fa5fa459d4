/*
 * bundle: the folder with config.json and the root file system.
 */
#pragma once

#include "runtime/spec.h"

struct container;
struct error;

struct bundle {
	char *path;   /* absolute */
	char *rootfs; /* absolute, no symlinks */
	char *text;   /* config.json as it was read */
	size_t text_len;
	struct spec spec;
};

#define BUNDLE_INIT                                                                                \
	{                                                                                          \
		.path = NULL                                                                       \
	}

/* `folder` NULL: the current one. */
int bundle_open(const char *folder, struct bundle *ret, struct error *err);

/* Fills in what a container remembers of it, and the time of its creation. */
int bundle_describe(const struct bundle *bundle, struct container *c, struct error *err);

void bundle_done(struct bundle *bundle);

#define cleanup_bundle __attribute__((cleanup(bundle_done)))
