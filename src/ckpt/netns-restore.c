/*
 * netns-restore: a new network namespace becomes what the images say.
 *
 * The root task waits at its first barrier meanwhile. Order matters: settings
 * that new devices inherit, devices, their own settings, up, addresses (whose
 * connected routes come by themselves), neighbours, routes, rules. New IPv6
 * addresses are "tentative" for a second, so that no socket could be bound to
 * them: until the end nobody looks for duplicates (accept_dad).
 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/netns-restore.h"
#include "ckpt/netns.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

static bool is_empty(const struct restore *r)
{
	for (char *const *p = r->opts->empty_ns; p && *p; p++)
		if (!strcmp(*p, "net"))
			return true;
	return false;
}

int netns_load(struct restore *r, struct error *err)
{
	struct rnetns *n = arena_new(&r->arena, struct rnetns);
	uint32_t id = r->root->ids->net_ns_id;
	int ret;

	if (!n)
		return err_oom(err);
	n->id = id;
	n->images_dir = r->opts->images_dir;
	n->arena = &r->arena;
	r->netns = n;
	if (is_empty(r))
		return 0;
	ret = image_read_one(r->opts->images_dir, IMG_KIND_NETNS, id, &r->arena, &n->conf, err);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	ret = image_read_all(r->opts->images_dir, IMG_KIND_NETDEV, id, &r->arena, &n->devices,
			     &n->n_devices, err);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	return netns_links_check(n, err);
}

const NetnsEntry *netns_conf_of(const struct restore *r)
{
	return r->netns ? r->netns->conf : NULL;
}

static int write_conf(const struct rnetns *n, struct error *err)
{
	const NetnsEntry *e = n->conf;
	int r;

	if (!e)
		return 0;
	if (e->n_def_conf && !e->n_def_conf4)
		log_warn("network settings of a very old checkpoint are left out");
	r = netns_conf_write(NETNS_IPV4, "all", e->all_conf4, e->n_all_conf4, NULL, err);
	if (r == 0)
		r = netns_conf_write(NETNS_IPV4, "default", e->def_conf4, e->n_def_conf4, NULL,
				     err);
	if (r == 0)
		r = netns_conf_write(NETNS_IPV6, "all", e->all_conf6, e->n_all_conf6, "accept_dad",
				     err);
	if (r == 0 && e->n_all_conf6)
		r = netns_conf_set(NETNS_IPV6, "all", "accept_dad", 0, err);
	if (r == 0)
		r = netns_conf_write(NETNS_IPV6, "default", e->def_conf6, e->n_def_conf6, NULL,
				     err);
	if (r == 0)
		r = netns_unix_write(e->unix_conf, e->n_unix_conf, err);
	if (r == 0)
		r = netns_ipv4_write(e->ipv4_sysctl, e->n_ipv4_sysctl, err);
	return r;
}

static int fill(const struct restore *restore, struct rnetns *n, struct error *err)
{
	cleanup_netlink struct netlink nl = NETLINK_INIT;
	int r;

	if (!n->n_devices)
		return netlink_loopback_up(err);
	r = netlink_open(&nl, NETLINK_ROUTE, err);
	if (r == 0)
		r = write_conf(n, err);
	if (r == 0)
		r = netns_links_make(n, &nl, err);
	if (r == 0)
		r = netns_addresses_restore(n, &nl, err);
	if (r == 0)
		r = netns_routes_restore(n, &nl, err);
	if (r == 0)
		r = netns_rules_restore(n, &nl, err);
	if (r == 0)
		r = netns_filters_restore(restore, n->id, err);
	if (r == 0)
		r = netns_links_settle(n, err);
	return r;
}

int netns_restore(struct restore *r, struct error *err)
{
	cleanup_fd int home = -EBADF;
	cleanup_fd int there = -EBADF;
	char path[64];
	int ret;

	if (!r->netns)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", r->host_pid);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0)
		return err_sys(err, "open '%s'", home < 0 ? "/proc/self/ns/net" : path);
	if (setns(there, CLONE_NEWNET) < 0)
		return err_sys(err, "enter the new network namespace");
	ret = fill(r, r->netns, err);
	/* Worse than any failure in there. */
	if (setns(home, CLONE_NEWNET) < 0)
		return err_sys(err, "return to our own network namespace");
	return ret < 0 ? err_wrap(err, ret, "network namespace") : 0;
}
