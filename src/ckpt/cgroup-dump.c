#include "ckpt/cgroup.h"

#include "base/cleanup.h"
#include "ckpt/dump-priv.h"

int cgroup_collect(struct dump *dump, struct error *err UNUSED)
{
	dump->root_cg_set = 1;
	return 0;
}

int cgroup_write(struct dump *dump UNUSED, struct error *err UNUSED)
{
	return 0;
}
