/*
 * caps: capability sets as 64-bit masks, by name and in the kernel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct error;
struct spec_capabilities;

/* "CAP_NET_ADMIN" -> its number, or -1. Case does not matter. */
int caps_number(const char *name);

/* The name of a number, or NULL beyond those known here. */
const char *caps_name(int number);

/* Drops from the bounding set what is not in `keep`. Needs CAP_SETPCAP where something goes. */
int caps_limit_bounding(uint64_t keep, struct error *err);

/* Sets effective, permitted, inheritable and then ambient of this thread. */
int caps_apply(const struct spec_capabilities *caps, struct error *err);
