/*
 * listing: one line of `ps`.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct container;
struct error;
struct pod;

/* Fields for people and templates: ID, Image, Command, RunningFor, Status, Names, ... */
int listing_row(const struct pod *pod, const struct container *c, bool whole, json_t **ret,
		struct error *err);

/* The same for programs, as `podman ps --format json` has it. */
int listing_json(const struct pod *pod, const struct container *c, json_t **ret, struct error *err);
