/*
 * sk-netns: the network namespace a socket was made in, and stays in.
 */
#pragma once

#include <stdint.h>

struct dump;
struct error;
struct restore;

/* Its id in the images. -EOPNOTSUPP: it is not the tree's. */
int sk_netns_id(const struct dump *dump, int fd, const char *where, uint32_t *ret_id,
		struct error *err);

/* Refuses a socket (its id in files.img) of another namespace than the tree's; 0: not told. */
int sk_netns_check(const struct restore *r, uint32_t id, uint32_t ns_id, struct error *err);
