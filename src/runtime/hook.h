/*
 * hook: programs that config.json wants run at certain moments.
 */
#pragma once

#include "runtime/spec.h"

struct container;
struct error;

/* Runs the hooks of a kind one after the other, each with the container's state on its standard
 * input. The first that fails stops the row: its standard error is told. */
int hook_run(const struct spec *spec, enum hook_kind kind, const struct container *c,
	     struct error *err);

static inline bool hook_any(const struct spec *spec, enum hook_kind kind)
{
	return spec->hooks[kind].n > 0;
}
