/*
 * caps: which capabilities a container gets.
 */
#pragma once

#include "base/strv.h"

struct error;

/*
 * The default ones, changed by --cap-drop and --cap-add ("net_raw",
 * "CAP_NET_RAW", "all"); or, privileged, all that we have ourselves. "CAP_X"
 * words, in the kernel's order.
 */
int caps_choose(const struct strv *add, const struct strv *drop, bool privileged, struct strv *ret,
		struct error *err);
