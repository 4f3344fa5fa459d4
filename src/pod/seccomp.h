/*
 * seccomp: the default filter of a container.
 */
#pragma once

#include <jansson.h>

#include "base/strv.h"

struct error;

/*
 * linux.seccomp of the OCI spec. `profile`: "default" (ours, less what the
 * capabilities allow), "unconfined" (*ret stays NULL), or a file in the same format.
 */
int seccomp_make(const char *profile, const struct strv *caps, json_t **ret, struct error *err);
