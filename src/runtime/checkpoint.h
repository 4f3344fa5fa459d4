/*
 * checkpoint: what saving a container and asking whether it could be saved have in common.
 */
#pragma once

struct checkpoint_opts;
struct container;
struct cryo_dump_opts;
struct error;
struct outside;

typedef void checkpoint_found(void *arg, const struct error *obstacle);

/* -EBUSY: it does not run, or is paused. */
int checkpoint_check_status(const struct container *c, struct error *err);

/*
 * What `exec` brought into the container is nobody's child in there, so it is
 * not in the tree that is saved, and would die with the init. Each is told;
 * returns how many there are.
 */
int checkpoint_strays(const struct container *c, checkpoint_found *found, void *arg,
		      struct error *err);

/* What a checkpoint does not hold: the caller's. */
int checkpoint_outside(const struct container *c, const struct checkpoint_opts *opts,
		       struct outside *ret, struct error *err);

/* All but where the images go; borrows from `c` and `outside`. */
void checkpoint_dump_opts(const struct container *c, const struct checkpoint_opts *opts,
			  const struct outside *outside, struct cryo_dump_opts *ret);
