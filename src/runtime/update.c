#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "runtime/cgroup-resources.h"
#include "runtime/container.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

int runtime_update(const struct runtime *rt, const char *id, const char *resources,
		   struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_arena struct arena arena = ARENA_INIT;
	cleanup_json json_t *json = NULL;
	struct spec_resources res = { .has = 0 };
	int r;

	r = json_parse("resources", resources, strlen(resources), &json, err);
	if (r >= 0 && !json_is_object(json))
		r = err_set(err, -EBADMSG, "resources: expected an object");
	if (r >= 0)
		r = spec_parse_resources(json, "resources", &arena, &res, err);
	if (r >= 0)
		r = container_open(rt, id, true, &c, err);
	if (r < 0)
		return r;
	if (container_status(&c) == CONTAINER_STOPPED)
		return err_set(err, -EBUSY, "container not running: '%s'", id);
	r = cgroup_set_resources(&c.cgroup, &res, err);
	if (r < 0)
		return err_wrap(err, r, "update container '%s'", id);
	return 0;
}
