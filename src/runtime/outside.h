/*
 * outside: what of a container is not in its checkpoint, and how it's named
 * there: bind mounts, masks, cgroup mounts, namespaces that are others',
 * the pipes of standard input and output. Both sides must find the same keys: those of
 * mounts are config.json's destinations, as runc and crun have them.
 */
#pragma once

#include <stddef.h>

#include "base/strv.h"
#include "cryo/restore.h"

struct cgroup;
struct container;
struct error;
struct spec;

#define OUTSIDE_FDS_MAX 16

struct outside {
	struct strv externals;
	struct strv empty_ns;
	struct cryo_inherit_fd inherit[OUTSIDE_FDS_MAX]; /* keys in `keys` */
	size_t n_inherit;
	struct cryo_join_ns join[OUTSIDE_FDS_MAX];
	size_t n_join;
	struct strv keys;
	int fds[OUTSIDE_FDS_MAX]; /* opened here */
	size_t n_fds;
};

#define OUTSIDE_INIT                                                                               \
	{                                                                                          \
		.n_fds = 0                                                                         \
	}

int outside_for_dump(const struct spec *spec, const struct container *c, struct outside *ret,
		     struct error *err);

int outside_for_restore(const struct spec *spec, const char *bundle, const struct cgroup *cgroup,
			struct outside *ret, struct error *err);

/* Our own 0, 1, 2 take the place of the pipes that were there, from now on. */
int outside_load_streams(const struct container *c, int images, struct outside *outside,
			 struct error *err);

void outside_done(struct outside *outside);

#define cleanup_outside __attribute__((cleanup(outside_done)))
