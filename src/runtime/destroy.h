/*
 * destroy: the end of a container and of all it held.
 */
#pragma once

struct container;
struct error;

/* Kills what lives, removes groups and folder, runs the poststop hooks. Needs the lock. */
int container_destroy(const struct container *c, struct error *err);
