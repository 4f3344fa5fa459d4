/*
 * sk-netns: the network namespace a socket was made in, and stays in.
 */
#pragma once

#include <stdint.h>

struct dump;
struct error;

/* Its id in the images. -EOPNOTSUPP: it is not the tree's. */
int sk_netns_id(const struct dump *dump, int fd, const char *where, uint32_t *ret_id,
		struct error *err);
