/*
 * check: what would stand in the way.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct error;
struct cryo_dump_opts;

/* 1: this kernel has the feature (CRIU's names: "timens", "uffd", ...); 0: not; -EINVAL: unknown.
 */
int cryo_check_feature(const char *name, struct error *err);

/* All that a dump and a restore need from this kernel and our privileges; the first
 * thing that is missing is told. */
int cryo_check_system(struct error *err);

/* Each obstacle to dumping that tree is told to `found`, nothing is stopped or touched.
 * Returns how many there were, or a negative errno when the look itself failed. */
int cryo_check_tree(const struct cryo_dump_opts *opts,
		    void (*found)(void *arg, const struct error *obstacle), void *arg,
		    struct error *err);
