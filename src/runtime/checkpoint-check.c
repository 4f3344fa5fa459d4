#include "cryo/check.h"
#include "base/err.h"
#include "cryo/dump.h"
#include "runtime/checkpoint.h"
#include "runtime/container.h"
#include "runtime/outside.h"
#include "runtime/runtime.h"

static int check(const struct container *c, const struct checkpoint_opts *opts,
		 checkpoint_found *found, void *arg, struct error *err)
{
	cleanup_outside struct outside outside = OUTSIDE_INIT;
	struct cryo_dump_opts dump_opts = CRYO_DUMP_OPTS_INIT;
	int strays;
	int r;

	r = checkpoint_check_status(c, err);
	if (r >= 0)
		r = checkpoint_outside(c, opts, &outside, err);
	if (r < 0)
		return r;
	strays = checkpoint_strays(c, found, arg, err);
	if (strays < 0)
		return strays;
	checkpoint_dump_opts(c, opts, &outside, &dump_opts);
	r = cryo_check_tree(&dump_opts, found, arg, err);
	return r < 0 ? r : strays + r;
}

int runtime_checkpoint_check(const struct runtime *rt, const char *id,
			     const struct checkpoint_opts *opts,
			     void (*found)(void *arg, const struct error *obstacle), void *arg,
			     struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	int r;

	r = container_open(rt, id, true, &c, err);
	if (r < 0)
		return r;
	r = check(&c, opts, found, arg, err);
	return r < 0 ? err_wrap(err, r, "check container '%s'", id) : r;
}
