/*
 * netlink: the little we ask of rtnetlink ourselves. Networks proper are
 * netavark's business.
 */
#pragma once

struct error;

/* Brings up "lo" of the network namespace we are in. */
int netlink_loopback_up(struct error *err);
