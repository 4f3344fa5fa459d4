/*
 * cgroup-device: which devices a container may open.
 *
 * v1 has files for it (devices.allow, devices.deny); for v2 the rules become
 * a small eBPF program attached to the group.
 */
#pragma once

#include <stddef.h>

#include <linux/bpf.h>

struct cgroup;
struct error;
struct spec_device_rule;
struct spec_resources;

/* The rules of config.json and then those of the devices every container has. Nothing is
 * restricted while there are no rules. */
int cgroup_set_devices(const struct cgroup *cg, const struct spec_resources *res,
		       struct error *err);

/* The program for the rules, of which the last that matches decides. Returns the number of
 * instructions, at most `max`; -E2BIG: they don't fit. */
int cgroup_device_program(const struct spec_device_rule *const *rules, size_t n,
			  struct bpf_insn *program, size_t max);
