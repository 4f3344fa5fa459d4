/*
 * netns-conf: settings of a network namespace. /proc/sys/net shows those of
 * the namespace that the caller is in, whosever /proc it is.
 *
 * The images hold them by position: the names below, in this order, are part
 * of CRIU's format. New ones are added at the end of its lists.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/netns.h"
#include "ckpt/settings.h"

#define TEXT_MAX 256
#define PATH_SIZE 192
#define UNIX_FOLDER "/proc/sys/net/unix"
#define IPV4_FOLDER "/proc/sys/net/ipv4"

static const char *const conf4[] = {
	"accept_local",
	"accept_redirects",
	"accept_source_route",
	"arp_accept",
	"arp_announce",
	"arp_filter",
	"arp_ignore",
	"arp_notify",
	"bootp_relay",
	"disable_policy",
	"disable_xfrm",
	"force_igmp_version",
	"forwarding",
	"igmpv2_unsolicited_report_interval",
	"igmpv3_unsolicited_report_interval",
	"log_martians",
	"medium_id",
	"promote_secondaries",
	"proxy_arp",
	"proxy_arp_pvlan",
	"route_localnet",
	"rp_filter",
	"secure_redirects",
	"send_redirects",
	"shared_media",
	"src_valid_mark",
	"tag",
	"ignore_routes_with_linkdown",
	"drop_gratuitous_arp",
	"drop_unicast_in_l2_multicast",
};

static const char *const conf6[] = {
	"accept_dad",
	"accept_ra",
	"accept_ra_defrtr",
	"accept_ra_from_local",
	"accept_ra_min_hop_limit",
	"accept_ra_mtu",
	"accept_ra_pinfo",
	"accept_ra_rt_info_max_plen",
	"accept_ra_rtr_pref",
	"accept_redirects",
	"accept_source_route",
	"autoconf",
	"dad_transmits",
	"disable_ipv6",
	"drop_unicast_in_l2_multicast",
	"drop_unsolicited_na",
	"force_mld_version",
	"force_tllao",
	"forwarding",
	"hop_limit",
	"ignore_routes_with_linkdown",
	"keep_addr_on_down",
	"max_addresses",
	"max_desync_factor",
	"mldv1_unsolicited_report_interval",
	"mldv2_unsolicited_report_interval",
	"mtu",
	"ndisc_notify",
	"optimistic_dad",
	"proxy_ndp",
	"regen_max_retry",
	"router_probe_interval",
	"router_solicitation_delay",
	"router_solicitation_interval",
	"router_solicitations",
	"stable_secret",
	"suppress_frag_ndisc",
	"temp_prefered_lft",
	"temp_valid_lft",
	"use_oif_addrs_only",
	"use_optimistic",
	"use_tempaddr",
};

static const struct family {
	const char *folder;
	const char *const *names;
	size_t n;
} families[] = {
	[NETNS_IPV4] = { "/proc/sys/net/ipv4/conf", conf4, ARRAY_SIZE(conf4) },
	[NETNS_IPV6] = { "/proc/sys/net/ipv6/conf", conf6, ARRAY_SIZE(conf6) },
};

static const char *const unix_names[] = { "max_dgram_qlen" };
static const char *const ipv4_names[] = { "ping_group_range" };

static bool is_text(const char *name)
{
	return !strcmp(name, "stable_secret") || !strcmp(name, "ping_group_range");
}

/* 1: it is in `text`, without the newline; 0: there is no such setting, or it was never set. */
static int read_text(int dirfd, const char *name, char text[TEXT_MAX], struct error *err)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open network setting '%s'", name);
	n = read(fd, text, TEXT_MAX - 1);
	if (n < 0 && errno == EIO) /* a secret that there is not */
		return 0;
	if (n < 0)
		return err_sys(err, "read network setting '%s'", name);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return 1;
}

static int read_one(const struct dump *dump, uint32_t ns_id, const char *folder, const char *name,
		    struct arena *arena, SysctlEntry *entry, struct error *err)
{
	char text[TEXT_MAX];
	char path[PATH_SIZE];
	const char *p = text;
	int value;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* names are short */
	entry->type = is_text(name) ? SYSCTL_TYPE__CTL_STR : SYSCTL_TYPE__CTL_32;
	r = setting_read(dump, ns_id, path, text, sizeof(text), err);
	if (r <= 0)
		return r;
	if (entry->type == SYSCTL_TYPE__CTL_STR) {
		entry->sarg = arena_strdup(arena, text);
		return entry->sarg ? 0 : err_oom(err);
	}
	if (!scan_int(&p, &value)) {
		/* Numbers that are unsigned in some versions. */
		uint32_t number;

		if (!scan_u32(&p, 10, &number))
			return err_set(err, -EPROTO, "network setting '%s' is '%s'", path, text);
		value = (int)number;
	}
	entry->has_iarg = true;
	entry->iarg = value;
	return 0;
}

static int read_all(struct dump *dump, uint32_t ns_id, const char *folder, const char *const *names,
		    size_t n, SysctlEntry ***ret, size_t *ret_n, struct error *err)
{
	SysctlEntry *entries = arena_new_array(&dump->arena, SysctlEntry, n);
	SysctlEntry **list = arena_new_array(&dump->arena, SysctlEntry *, n);
	int r = 0;

	if (!entries || !list)
		return err_oom(err);
	for (size_t i = 0; i < n && r == 0; i++) {
		sysctl_entry__init(&entries[i]);
		list[i] = &entries[i];
		r = read_one(dump, ns_id, folder, names[i], &dump->arena, &entries[i], err);
	}
	if (r < 0)
		return r;
	*ret = list;
	*ret_n = n;
	return 0;
}

static int check_device(const char *name, struct error *err)
{
	if (name[0] == '.' || strchr(name, '/'))
		return err_set(err, -EBADMSG, "network device with the name '%s'", name);
	return 0;
}

/* -EBADF as descriptor: there is no such folder: no such device, or no such protocol. */
static int open_folder(const char *folder, const char *name, int *ret_fd, struct error *err)
{
	char path[128];
	int fd;

	if (check_device(name, err) < 0)
		return -EBADMSG;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name); /* names have 15 letters */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_sys(err, "open '%s'", path);
	*ret_fd = fd < 0 ? -EBADF : fd;
	return 0;
}

int netns_conf_read(struct dump *dump, uint32_t ns_id, enum netns_family family, const char *name,
		    SysctlEntry ***ret, size_t *ret_n, struct error *err)
{
	const struct family *f = &families[family];
	char folder[PATH_SIZE];

	if (check_device(name, err) < 0)
		return -EBADMSG;
	(void)snprintf(folder, sizeof(folder), "%s/%s", f->folder,
		       name); /* names have 15 letters */
	return read_all(dump, ns_id, folder, f->names, f->n, ret, ret_n, err);
}

static int open_ahead(struct dump *dump, uint32_t ns_id, const char *folder,
		      const char *const *names, size_t n, struct error *err)
{
	char path[PATH_SIZE];
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		r = setting_open_ahead(dump, ns_id, path, err);
	}
	return r;
}

int netns_open_ahead(struct dump *dump, uint32_t ns_id, struct error *err)
{
	static const char *const everywhere[] = { "default", "all", "lo" };
	int r = open_ahead(dump, ns_id, UNIX_FOLDER, unix_names, ARRAY_SIZE(unix_names), err);

	if (r == 0)
		r = open_ahead(dump, ns_id, IPV4_FOLDER, ipv4_names, ARRAY_SIZE(ipv4_names), err);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(everywhere) && r == 0; j++) {
			char folder[PATH_SIZE];

			(void)snprintf(folder, sizeof(folder), "%s/%s", families[i].folder,
				       everywhere[j]);
			r = open_ahead(dump, ns_id, folder, families[i].names, families[i].n, err);
		}
	}
	return r;
}

static bool has_value(const SysctlEntry *entry)
{
	return entry->type == SYSCTL_TYPE__CTL_STR ? entry->sarg != NULL : entry->has_iarg;
}

static int write_one(int dirfd, const char *name, const SysctlEntry *entry, struct error *err)
{
	cleanup_fd int fd = -EBADF;
	char old[TEXT_MAX] = "";
	char text[TEXT_MAX];
	int r;

	if (entry->type == SYSCTL_TYPE__CTL_STR)
		(void)snprintf(text, sizeof(text), "%s", entry->sarg);
	else
		(void)snprintf(text, sizeof(text), "%d", entry->iarg);
	text[strcspn(text, "\n")] = '\0';
	r = dirfd < 0 ? 0 : read_text(dirfd, name, old, err);
	if (r < 0 || (r > 0 && !strcmp(text, old)))
		return r < 0 ? r : 0;
	fd = dirfd < 0 ? -1 : openat(dirfd, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && (dirfd < 0 || errno == ENOENT)) {
		log_warn("this kernel has no network setting '%s': it was '%s'", name, text);
		return 0;
	}
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(err, "network setting '%s' to '%s'", name, text);
	return 0;
}

/*
 * In the order of the list, but for one: to turn forwarding on or off sets
 * accept_redirects anew, so that comes last.
 */
int netns_conf_write(enum netns_family family, const char *name, SysctlEntry *const *entries,
		     size_t n, const char *except, struct error *err)
{
	const struct family *f = &families[family];
	cleanup_fd int fd = -EBADF;
	int r = open_folder(f->folder, name, &fd, err);

	for (unsigned int late = 0; late < 2; late++) {
		for (size_t i = 0; i < n && i < f->n && r == 0; i++) {
			const char *setting = f->names[i];

			if (!has_value(entries[i]) || (except && !strcmp(setting, except)) ||
			    late != !strcmp(setting, "accept_redirects"))
				continue;
			r = write_one(fd, setting, entries[i], err);
		}
	}
	return r < 0 ? err_wrap(err, r, "'%s/%s'", f->folder, name) : 0;
}

int netns_conf_set(enum netns_family family, const char *name, const char *setting, int value,
		   struct error *err)
{
	const struct family *f = &families[family];
	SysctlEntry entry = SYSCTL_ENTRY__INIT;
	cleanup_fd int fd = -EBADF;
	int r = open_folder(f->folder, name, &fd, err);

	entry.type = SYSCTL_TYPE__CTL_32;
	entry.has_iarg = true;
	entry.iarg = value;
	if (r == 0)
		r = write_one(fd, setting, &entry, err);
	return r < 0 ? err_wrap(err, r, "'%s/%s'", f->folder, name) : 0;
}

/* ---- a few more ---- */

static int write_folder(const char *folder, const char *const *names, size_t n_names,
			SysctlEntry *const *entries, size_t n, struct error *err)
{
	cleanup_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return err_sys(err, "open '%s'", folder);
	for (size_t i = 0; i < n && i < n_names && r == 0; i++)
		if (has_value(entries[i]))
			r = write_one(fd, names[i], entries[i], err);
	return r < 0 ? err_wrap(err, r, "'%s'", folder) : 0;
}

int netns_unix_read(struct dump *dump, uint32_t ns_id, SysctlEntry ***ret, size_t *ret_n,
		    struct error *err)
{
	return read_all(dump, ns_id, UNIX_FOLDER, unix_names, ARRAY_SIZE(unix_names), ret, ret_n,
			err);
}

int netns_unix_write(SysctlEntry *const *entries, size_t n, struct error *err)
{
	return write_folder(UNIX_FOLDER, unix_names, ARRAY_SIZE(unix_names), entries, n, err);
}

int netns_ipv4_read(struct dump *dump, uint32_t ns_id, SysctlEntry ***ret, size_t *ret_n,
		    struct error *err)
{
	int r = read_all(dump, ns_id, IPV4_FOLDER, ipv4_names, ARRAY_SIZE(ipv4_names), ret, ret_n,
			 err);
	/* Nobody may: the default, which the kernel does not take back when written. */
	if (r == 0 && (*ret)[0]->sarg && !strcmp((*ret)[0]->sarg, "1\t0"))
		(*ret)[0]->sarg = NULL;
	return r;
}

int netns_ipv4_write(SysctlEntry *const *entries, size_t n, struct error *err)
{
	return write_folder(IPV4_FOLDER, ipv4_names, ARRAY_SIZE(ipv4_names), entries, n, err);
}
