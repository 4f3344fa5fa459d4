/*
 * cgroup-resources: the limits of config.json written into the container's groups.
 */
#pragma once

struct cgroup;
struct error;
struct spec_resources;

/* A limit whose controller is not there is an error that names it. */
int cgroup_set_resources(const struct cgroup *cg, const struct spec_resources *res,
			 struct error *err);
