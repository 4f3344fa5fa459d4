/*
 * config: what create was asked for, as one JSON object.
 *
 * The names are those of Podman's config.dump where it has one:
 *
 *	id name createdTime               (createdTime: RFC 3339)
 *	rootfsImageID rootfsImageName RawImageName
 *	runtime                           name or path, as typed or "cryorun"
 *	spec                              OCI config without root, user, seccomp and own mounts
 *	user                              as typed: "name", "1000:100"; "" means root
 *	entrypoint command                arrays
 *	labels                            object
 *	stopSignal stopTimeout            numbers
 *	networkMode                       "none" or "host"
 *	stdin privileged createWorkingDir booleans
 *	logPath logDriver                 "k8s-file"
 *	userVolumes namedVolumes          [{volumeName, dest}]
 *	CreateCommand                     the words typed
 *
 * and our own:
 *	layers                            overlay's lower folders, topmost first
 *	autoRemove                        --rm
 *	seccomp                           "default", "unconfined", or a file
 */
#pragma once

#include <jansson.h>

#include "base/strv.h"

struct error;

/* Adds the strings of an array to *ret; an absent field adds none. -EBADMSG. */
int config_strings(const json_t *config, const char *key, struct strv *ret, struct error *err);

/* The strings as a new array; NULL when out of memory. */
json_t *config_array(const struct strv *strings);
