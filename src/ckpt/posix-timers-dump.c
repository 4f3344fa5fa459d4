#include "ckpt/posix-timers.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"

#define TIMERS_MAX ((size_t)64 << 20)

static bool parse_notify(const char *p, struct posix_timer *timer)
{
	static const struct {
		const char *name;
		int notify;
	} kinds[] = { { "signal/", SIGEV_SIGNAL },
		      { "none/", SIGEV_NONE },
		      { "thread/", SIGEV_THREAD } };
	int pid;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].name);

		if (strncmp(p, kinds[i].name, len))
			continue;
		timer->notify = kinds[i].notify;
		p += len;
		if (sscanf(p, "tid.%d", &pid) == 1) {
			timer->notify |= SIGEV_THREAD_ID;
			timer->notify_tid = pid;
			return true;
		}
		return sscanf(p, "pid.%d", &pid) == 1;
	}
	return false;
}

/*
 * Four lines each (proc_pid_timers(5)):
 *
 *	ID: 1
 *	signal: 60/00007fff86e452a8
 *	notify: signal/pid.2634
 *	ClockID: 0
 */
int posix_timers_parse(const char *text, struct arena *arena, struct posix_timers *ret,
		       struct error *err)
{
	struct posix_timers timers = { .n = 0 };
	const char *next;
	size_t room = 0;

	for (const char *p = text; (p = strstr(p, "ID: ")); p++)
		room++;
	timers.timers = arena_new_array(arena, struct posix_timer, room + 1);
	if (!timers.timers)
		return err_oom(err);

	for (const char *p = text; *p; p = next) {
		struct posix_timer *timer = timers.n ? &timers.timers[timers.n - 1] : NULL;
		const char *end = strchrnul(p, '\n');
		bool ok = true;

		next = *end ? end + 1 : end;
		if (!strncmp(p, "ID: ", 4)) {
			timer = &timers.timers[timers.n++];
			ok = sscanf(p, "ID: %" SCNu64, &timer->id) == 1;
		} else if (!timer) {
			ok = false;
		} else if (!strncmp(p, "signal: ", 8)) {
			ok = sscanf(p, "signal: %d/%" SCNx64, &timer->signo, &timer->sigev_value) ==
			     2;
		} else if (!strncmp(p, "notify: ", 8)) {
			ok = parse_notify(p + 8, timer);
		} else if (!strncmp(p, "ClockID: ", 9)) {
			ok = sscanf(p, "ClockID: %d", &timer->clock_id) == 1;
		}
		if (!ok)
			return err_set(err, -EBADMSG, "'timers': '%.*s'",
				       (int)(end - p > 100 ? 100 : end - p), p);
	}
	*ret = timers;
	return 0;
}

int posix_timers_read(int proc, struct arena *arena, struct posix_timers *ret, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	int r;

	r = file_read_at(proc, "timers", TIMERS_MAX, &text, &len, err);
	return r < 0 ? r : posix_timers_parse(text, arena, ret, err);
}

int posix_timers_record(const struct posix_timers *timers, struct arena *arena,
			TaskTimersEntry *ret, struct error *err)
{
	ret->posix = arena_new_array(arena, PosixTimerEntry *, timers->n);
	if (!ret->posix)
		return err_oom(err);
	for (size_t i = 0; i < timers->n; i++) {
		const struct posix_timer *timer = &timers->timers[i];
		PosixTimerEntry *entry = arena_new(arena, PosixTimerEntry);

		if (!entry)
			return err_oom(err);
		posix_timer_entry__init(entry);
		entry->it_id = (uint32_t)timer->id;
		entry->clock_id = (uint32_t)timer->clock_id;
		entry->si_signo = (uint32_t)timer->signo;
		entry->it_sigev_notify = (uint32_t)timer->notify;
		entry->sival_ptr = timer->sigev_value;
		entry->overrun = timer->overrun;
		entry->isec = (uint64_t)timer->value.it_interval.tv_sec;
		entry->insec = (uint64_t)timer->value.it_interval.tv_nsec;
		entry->vsec = (uint64_t)timer->value.it_value.tv_sec;
		entry->vnsec = (uint64_t)timer->value.it_value.tv_nsec;
		if (timer->notify_tid) {
			entry->has_notify_thread_id = true;
			entry->notify_thread_id = timer->notify_tid;
		}
		ret->posix[i] = entry;
	}
	ret->n_posix = timers->n;
	return 0;
}
