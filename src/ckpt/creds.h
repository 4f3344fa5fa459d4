/*
 * creds: a thread's credentials <-> its record in the images.
 */
#pragma once

#include "base/arena.h"
#include "base/proc.h"
#include "img/pb/creds.pb-c.h"

struct error;

/* All but the securebits, which only the thread itself can say. In the arena. */
int creds_record(const struct proc_status *status, struct arena *arena, CredsEntry **ret,
		 struct error *err);
