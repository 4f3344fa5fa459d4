/*
 * netns-restore: what the files of the restore half share. Internal to netns-*.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/netlink.h"
#include "img/pb/netdev.pb-c.h"

struct arena;
struct error;

struct rnetns {
	uint32_t id; /* in the images' names */
	int images_dir;
	struct arena *arena;
	NetnsEntry *conf; /* NULL: none */
	NetDeviceEntry **devices;
	size_t n_devices; /* 0: only the loopback device, up */
};

/* netns-link-restore.c: refuses what can't be made; makes all, up; and at the end the settings
 * that would have been in the way. */
int netns_links_check(const struct rnetns *n, struct error *err);
int netns_links_make(struct rnetns *n, struct netlink *nl, struct error *err);
int netns_links_settle(struct rnetns *n, struct error *err);

/* netns-route-restore.c: messages of the kernel, sent back to it */
int netns_addresses_restore(struct rnetns *n, struct netlink *nl, struct error *err);
int netns_routes_restore(struct rnetns *n, struct netlink *nl, struct error *err);
int netns_rules_restore(struct rnetns *n, struct netlink *nl, struct error *err);
