/*
 * sk-inet: sockets of IPv4 and IPv6: TCP, UDP, UDP-Lite, ping, raw.
 */
#pragma once

#include <stdint.h>

/* "10.0.0.1:80", "[::1]:80"; always fits. */
#define INET_NAME_MAX 64
const char *inet_name(uint32_t family, const void *address, uint32_t port,
		      char name[INET_NAME_MAX]);
