/*
 * mount: one entry of config.json's mounts.
 */
#pragma once

#include <stdbool.h>

struct error;
struct rootfs;
struct spec_mount;

int mount_apply(const struct rootfs *rootfs, const struct spec_mount *mount, struct error *err);

/* Mounts of type "cgroup" and "cgroup2", whose shape depends on the host's layout. */
int mount_cgroups(const struct rootfs *rootfs, const struct spec_mount *mount, struct error *err);

/* A file or folder inside a proc that must not be covered: it would lie about processes. */
bool mount_may_cover_proc(const char *destination);
