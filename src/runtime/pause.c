#include <errno.h>

#include "base/err.h"
#include "runtime/cgroup-tasks.h"
#include "runtime/container.h"
#include "runtime/runtime.h"

int runtime_pause(const struct runtime *rt, const char *id, bool pause, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	enum container_status status;
	int r;

	r = container_open(rt, id, true, &c, err);
	if (r < 0)
		return r;
	status = container_status(&c);
	if (pause && status != CONTAINER_RUNNING && status != CONTAINER_CREATED)
		return err_set(err, -EBUSY, "container not running or created: '%s' is %s", id,
			       container_status_name(status));
	if (!pause && status != CONTAINER_PAUSED)
		return err_set(err, -EBUSY, "container not paused: '%s' is %s", id,
			       container_status_name(status));
	r = cgroup_freeze(&c.cgroup, pause, err);
	if (r < 0)
		return err_wrap(err, r, "%s container '%s'", pause ? "pause" : "resume", id);
	return 0;
}
