/*
 * netns-priv: what both halves know of the raw images. Internal to netns-*.c.
 */
#pragma once

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/netlink.h"

/* First word of a file of netlink messages, as iproute2 writes it. */
#define NETNS_MAGIC_ADDR 0x47361222u
#define NETNS_MAGIC_ROUTE 0x45311224u
#define NETNS_MAGIC_RULE 0x71706986u

/* One of those that the kernel gives each new namespace, untouched: lookup of local, main or
 * default, for all. */
static inline bool netns_rule_is_first(const struct nlmsghdr *message)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	uint32_t priority = 0;

	if (rule->action != FR_ACT_TO_TBL || rule->src_len || rule->dst_len || rule->tos ||
	    (rule->flags & ~(uint32_t)FIB_RULE_PERMANENT))
		return false;
	netlink_each_attr(attr, message, sizeof(*rule))
	{
		switch (mnl_attr_get_type(attr)) {
		case FRA_PRIORITY:
			priority = mnl_attr_get_u32(attr);
			break;
		case FRA_TABLE:
		case FRA_SUPPRESS_PREFIXLEN:
		case FRA_PROTOCOL:
			break;
		default:
			return false; /* it looks at something */
		}
	}
	return (priority == 0 && rule->table == RT_TABLE_LOCAL) ||
	       (priority == 32766 && rule->table == RT_TABLE_MAIN) ||
	       (priority == 32767 && rule->table == RT_TABLE_DEFAULT);
}
