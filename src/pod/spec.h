/*
 * spec: the OCI spec of a container, in two steps.
 *
 * At create: all that the command line and the image's config decide. At
 * init: what needs the mounted root (who the user is) or this boot (paths,
 * generated files), so that a change of either is seen at the next start.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/strv.h"

struct container;
struct create_options;
struct error;
struct image;
struct pod;

/* Step one. `args` and `env` are complete. */
int spec_make(const struct create_options *o, const struct strv *args, const struct strv *env,
	      const char *cwd, const char *hostname, json_t *mounts, json_t **ret,
	      struct error *err);

/* Step two: writes the bundle's config.json and the files it binds into the root. */
int spec_write(struct pod *pod, const struct container *c, const char *rootfs, struct error *err);

/* process.terminal */
bool spec_has_terminal(const struct container *c);

/* mounts.c: the default ones and those asked for; named volumes are added to *volumes. */
int mounts_make(const struct create_options *o, const struct strv *image_volumes, json_t **ret,
		json_t *volumes, struct error *err);

/* Makes the folders of named volumes, filled from the root where that has content. */
int volumes_prepare(const struct pod *pod, const struct container *c, const char *rootfs,
		    json_t *mounts, struct error *err);

/* A size as "64m", "1g", "512": bytes. */
int size_parse(const char *word, uint64_t *ret, struct error *err);
