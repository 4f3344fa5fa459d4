/*
 * registers: a thread's registers <-> its record in the images (x86-64).
 */
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include "base/arena.h"
#include "ckpt/xstate.h"
#include "img/pb/core-x86.pb-c.h"

struct error;

/* Of a stopped thread; the general registers are the given ones. All in the arena. */
int registers_record(const struct xstate_layout *layout, pid_t host_tid,
		     const struct user_regs_struct *regs, struct arena *arena, ThreadInfoX86 **ret,
		     struct error *err);
