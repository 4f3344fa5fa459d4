/*
 * namespace: the kinds of namespaces, and making a process in new ones or in
 * those of others.
 */
#pragma once

#include <sys/types.h>

#include "runtime/spec.h"

struct error;

/* CLONE_NEW...; the file's name in /proc/PID/ns. */
unsigned long ns_clone_flag(enum ns_kind kind);
const char *ns_file(enum ns_kind kind);

/*
 * Makes a child as the spec's namespaces say: 0 in the child, its pid here.
 * New ones are made, those by path joined, except the cgroup namespace: that
 * one has its root where the process is, so the process makes it itself
 * (ns_enter_cgroup) when it's in its group. The child of a new user namespace
 * has no ids mapped yet: ns_map_ids().
 */
int ns_clone_child(const struct spec *spec, pid_t *ret_pid, struct error *err);

int ns_map_ids(const struct spec *spec, pid_t pid, struct error *err);

int ns_enter_cgroup(const struct spec *spec, struct error *err);
