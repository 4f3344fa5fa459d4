/*
 * cap-names: capabilities by name and number (capabilities(7), linux/capability.h).
 */
#pragma once

/* "CAP_NET_ADMIN" -> its number, or -1. Case does not matter. */
int cap_number(const char *name);

/* The name of a number, or NULL beyond those known here: they are numbered without gaps. */
const char *cap_name(int number);
