/*
 * check: obstacles that show without stopping anything.
 */
#pragma once

struct cryo_dump_opts;
struct error;

/* -EPERM: we may not look into other tasks, or make namespaces: neither half could begin. */
int check_privileges(struct error *err);

/* Walks the running tree and refuses the first object that can't be saved. What
 * vanishes meanwhile is no obstacle. */
int check_tree_first(const struct cryo_dump_opts *opts, struct error *err);
