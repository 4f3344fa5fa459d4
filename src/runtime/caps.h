/*
 * caps: capability sets as 64-bit masks, by name and in the kernel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct error;
struct spec_capabilities;

/* Drops from the bounding set what is not in `keep`. Needs CAP_SETPCAP where something goes. */
int caps_limit_bounding(uint64_t keep, struct error *err);

/* Sets effective, permitted, inheritable and then ambient of this thread. */
int caps_apply(const struct spec_capabilities *caps, struct error *err);
