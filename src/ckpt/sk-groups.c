/*
 * sk-groups: multicast groups that a socket has joined.
 *
 * No option lists them. But the kernel lists the groups of each device, and a
 * socket that is asked for its source filter of one of those says whether it is
 * a member.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/sk-more.h"

#define LIST_MAX ((size_t)4 << 20)
#define SOURCES_MAX 128
#define FILTER_SIZE (GROUP_FILTER_SIZE(0) + SOURCES_MAX * sizeof(struct sockaddr_storage))

/* Level of the options, by family. */
static int level_of(int family)
{
	return family == AF_INET ? SOL_IP : SOL_IPV6;
}

static int add_member(struct dump *dump, SkOptsEntry *opts, int level,
		      const struct group_filter *filter, struct error *err)
{
	struct group_req join;
	int r;

	memset(&join, 0, sizeof(join));
	join.gr_interface = filter->gf_interface;
	join.gr_group = filter->gf_group;
	r = sk_more_add(dump, opts, level, MCAST_JOIN_GROUP, &join, sizeof(join), err);
	if (r == 0 && (filter->gf_fmode == MCAST_INCLUDE || filter->gf_numsrc))
		r = sk_more_add(dump, opts, level, MCAST_MSFILTER, filter,
				GROUP_FILTER_SIZE(filter->gf_numsrc), err);
	return r;
}

static int ask(struct dump *dump, int fd, const char *where, SkOptsEntry *opts, int family,
	       uint32_t index, const void *address, struct error *err)
{
	_Alignas(struct group_filter) char room[FILTER_SIZE];
	struct group_filter *filter = (struct group_filter *)(void *)room;
	socklen_t len = FILTER_SIZE;

	memset(filter, 0, GROUP_FILTER_SIZE(0));
	filter->gf_interface = index;
	filter->gf_numsrc = SOURCES_MAX;
	filter->gf_group.ss_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&((struct sockaddr_in *)&filter->gf_group)->sin_addr, address, 4);
	else
		memcpy(&((struct sockaddr_in6 *)&filter->gf_group)->sin6_addr, address, 16);
	if (getsockopt(fd, level_of(family), MCAST_MSFILTER, filter, &len) < 0)
		return 0; /* no member */
	if (filter->gf_numsrc > SOURCES_MAX)
		return err_set(err, -EOPNOTSUPP,
			       "%s: socket: a multicast group with %u sources; at most %d can be "
			       "saved",
			       where, filter->gf_numsrc, SOURCES_MAX);
	return add_member(dump, opts, level_of(family), filter, err);
}

/* "2\teth0 : ..." is a device, "\t\t\t\t010000E0 ..." a group of it. */
static int walk4(struct dump *dump, int fd, const char *where, SkOptsEntry *opts, const char *text,
		 struct error *err)
{
	uint32_t index = 0;
	int r = 0;

	for (const char *p = text; *p && r == 0; p = scan_next_line(p)) {
		const char *at = p;
		uint32_t address;

		if (*at != '\t') {
			if (!scan_u32(&at, 10, &index))
				index = 0; /* the headline */
			continue;
		}
		scan_blanks(&at);
		if (index && scan_u32(&at, 16, &address))
			r = ask(dump, fd, where, opts, AF_INET, index, &address, err);
	}
	return r;
}

/* "2    eth0            ff020000000000000000000000000001     1 0000000C 0" */
static int walk6(struct dump *dump, int fd, const char *where, SkOptsEntry *opts, const char *text,
		 struct error *err)
{
	int r = 0;

	for (const char *p = text; *p && r == 0; p = scan_next_line(p)) {
		unsigned char address[16];
		const char *at = p;
		uint32_t index;
		size_t n = 0;

		if (!scan_u32(&at, 10, &index))
			continue;
		scan_blanks(&at);
		at += strcspn(at, " \n");
		scan_blanks(&at);
		while (n < sizeof(address) && scan_digit(at[0]) < 16 && scan_digit(at[1]) < 16) {
			address[n++] = (unsigned char)(scan_digit(at[0]) << 4 | scan_digit(at[1]));
			at += 2;
		}
		if (n == sizeof(address))
			r = ask(dump, fd, where, opts, AF_INET6, index, address, err);
	}
	return r;
}

static int read_list(struct dump *dump, const char *name, char **ret, struct error *err)
{
	char path[64];
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/net/%s", dump->opts->pid, name);
	r = file_read_at(AT_FDCWD, path, LIST_MAX, ret, &len, err);
	return r == -ENOENT ? 0 : r; /* no such protocol: no list */
}

int sk_groups_dump(struct dump *dump, int fd, const char *where, SkOptsEntry *opts,
		   struct error *err)
{
	struct sk_cache *cache = sk_cache(dump);
	int r = 0;

	if (!cache)
		return err_oom(err);
	if (!cache->groups) {
		r = read_list(dump, "igmp", &cache->groups4, err);
		if (r == 0)
			r = read_list(dump, "igmp6", &cache->groups6, err);
		cache->groups = r == 0;
	}
	/* An IPv6 socket may have joined groups of IPv4, too. */
	if (r == 0 && cache->groups4)
		r = walk4(dump, fd, where, opts, cache->groups4, err);
	if (r == 0 && cache->groups6)
		r = walk6(dump, fd, where, opts, cache->groups6, err);
	return r;
}
