/*
 * posix-timers: timers of timer_create(2), from /proc/PID/timers and the task.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/arena.h"
#include "img/pb/timer.pb-c.h"

struct error;

struct posix_timer {
	uint64_t id;
	int signo;
	uint64_t sigev_value;
	int notify;	  /* SIGEV_... */
	pid_t notify_tid; /* of SIGEV_THREAD_ID, as the task sees it; else 0 */
	int clock_id;
	struct itimerspec value; /* both of these: asked of the task */
	uint32_t overrun;
};

struct posix_timers {
	struct posix_timer *timers;
	size_t n;
};

int posix_timers_parse(const char *text, struct arena *arena, struct posix_timers *ret,
		       struct error *err);
int posix_timers_read(int proc, struct arena *arena, struct posix_timers *ret, struct error *err);

int posix_timers_record(const struct posix_timers *timers, struct arena *arena,
			TaskTimersEntry *ret, struct error *err);
