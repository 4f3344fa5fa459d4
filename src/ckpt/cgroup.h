/*
 * cgroup: where in the cgroup hierarchies the tree is.
 */
#pragma once

struct dump;
struct error;

/* Before the freeze: a frozen tree does not move by itself. */
int cgroup_collect(struct dump *dump, struct error *err);
int cgroup_write(struct dump *dump, struct error *err);
