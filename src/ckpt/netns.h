/*
 * netns: what a network namespace of the tree holds: devices, addresses,
 * routes, rules, neighbours, settings, packet filters.
 *
 * Both halves are done by us, the engine's process, inside the namespace for
 * that moment (setns(2)): the namespace needs no help of its tasks, and may
 * belong to a user namespace in which nobody may do it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "img/pb/netdev.pb-c.h"
#include "img/pb/sysctl.pb-c.h"

struct arena;
struct dump;
struct error;
struct restore;

/* Frozen, inside the namespace: all its images. */
int netns_write(struct dump *dump, uint32_t id, struct error *err);

/* Reads what of the images can be refused, before anything is made. */
int netns_load(struct restore *r, struct error *err);
/* The root task exists and waits: its new namespace is filled. */
int netns_restore(struct restore *r, struct error *err);
/* What will be set in it; NULL: no new one, or nothing. */
const NetnsEntry *netns_conf_of(const struct restore *r);

/* netns-filter.c: rules of packet filters, inside the namespace. */
int netns_filters_write(struct dump *dump, uint32_t id, struct error *err);
int netns_filters_restore(const struct restore *r, uint32_t id, struct error *err);

/* ---- netns-conf.c: the settings below /proc/sys/net/FAMILY/conf/NAME ---- */

enum netns_family {
	NETNS_IPV4,
	NETNS_IPV6,
};

/* All settings of "all", "default" or a device, in the order of CRIU's images. Those that this
 * kernel does not have stand there without a value. */
int netns_conf_read(struct dump *dump, uint32_t ns_id, enum netns_family family, const char *name,
		    SysctlEntry ***ret, size_t *ret_n, struct error *err);

/* Before the freeze, in the namespace: what reading them needs is opened (settings.h). */
int netns_open_ahead(struct dump *dump, uint32_t ns_id, struct error *err);

/* Writes those that differ from what is there; `except`: all but that one. */
int netns_conf_write(enum netns_family family, const char *name, SysctlEntry *const *entries,
		     size_t n, const char *except, struct error *err);

/* One setting of one device. */
int netns_conf_set(enum netns_family family, const char *name, const char *setting, int value,
		   struct error *err);

/* A few more, as CRIU keeps them: of unix sockets, and ping_group_range. */
int netns_unix_read(struct dump *dump, uint32_t ns_id, SysctlEntry ***ret, size_t *ret_n,
		    struct error *err);
int netns_unix_write(SysctlEntry *const *entries, size_t n, struct error *err);
int netns_ipv4_read(struct dump *dump, uint32_t ns_id, SysctlEntry ***ret, size_t *ret_n,
		    struct error *err);
int netns_ipv4_write(SysctlEntry *const *entries, size_t n, struct error *err);
