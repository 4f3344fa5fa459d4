/*
 * old-mount-options: --ext-mount-map, --enable-external-sharing and
 * --enable-external-masters, which --external mnt[...] has replaced.
 */
#pragma once

#include <stdbool.h>

#include "base/opts.h"
#include "base/strv.h"

struct error;

struct old_mount_options {
	struct strv map;
	bool sharing;
	bool masters;
};

#define OLD_MOUNT_OPTIONS(type, field)                                                             \
	OPT_LIST('M', "ext-mount-map", type, field.map, "KEY:VALUE", NULL),                        \
		OPT_FLAG(0, "enable-external-sharing", type, field.sharing, NULL),                 \
		OPT_FLAG(0, "enable-external-masters", type, field.masters, NULL)

/* Adds what they mean to the words of --external. */
int old_mount_options_use(const struct old_mount_options *o, struct strv *externals,
			  struct error *err);
void old_mount_options_done(struct old_mount_options *o);
