/*
 * device: the nodes and links in a container's /dev.
 */
#pragma once

struct error;
struct rootfs;

/* The nodes every container has, those of config.json, and the usual links. */
int device_make_all(const struct rootfs *rootfs, struct error *err);
