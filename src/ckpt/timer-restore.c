/*
 * timer-restore: interval timers and POSIX timers.
 *
 * Timers are made while the task is built and begin to run only after the
 * release, so that none loses time to the restore. Arming can't fail then:
 * values are checked here.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "ckpt/restore-priv.h"

#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77
#endif
#define RESTORE_IDS_OFF 0
#define RESTORE_IDS_ON 1
#define RESTORE_IDS_GET 2

#define COUNTED_IDS_MAX 4096

/* Linux 6.15 lets us choose the id. Before, ids count up from 0 in a new process. */
static bool ids_can_be_chosen(void)
{
	return prctl(PR_TIMER_CREATE_RESTORE_IDS, RESTORE_IDS_GET, 0, 0, 0) >= 0;
}

static int check_itimer(const struct rtask *t, const ItimerEntry *it, struct error *err)
{
	if (it && (it->iusec > 999999 || it->vusec > 999999 || it->isec > INT64_MAX ||
		   it->vsec > INT64_MAX))
		return err_set(err, -EBADMSG, "core-%u.img: bad interval timer", t->pid);
	return 0;
}

static void tape_create(struct restore *r, struct rtask *t, const PosixTimerEntry *e, int32_t id)
{
	struct sigevent event = {
		.sigev_value.sival_ptr = (void *)(uintptr_t)e->sival_ptr,
		.sigev_signo = (int)e->si_signo,
		.sigev_notify = (int)e->it_sigev_notify,
	};
	uint64_t at = area_add(&r->area, &id, sizeof(id));

	if (event.sigev_notify & SIGEV_THREAD_ID)
		event._sigev_un._tid =
			e->has_notify_thread_id ? e->notify_thread_id : (pid_t)t->pid;
	tape_call(t->become, SYS_timer_create,
		  TAPE_ARGS(tape_imm((uint64_t)(int64_t)(int32_t)e->clock_id),
			    tape_at(area_add(&r->area, &event, sizeof(event))), tape_at(at)),
		  "making timer %u", e->it_id);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = (*(PosixTimerEntry *const *)a)->it_id;
	uint32_t y = (*(PosixTimerEntry *const *)b)->it_id;

	return x < y ? -1 : x > y;
}

static int tape_posix_timers(struct restore *r, struct rtask *t, TaskTimersEntry *timers,
			     struct error *err)
{
	bool chosen = timers->n_posix && ids_can_be_chosen();
	uint32_t next = 0;

	if (timers->n_posix) /* qsort takes no NULL */
		qsort(timers->posix, timers->n_posix, sizeof(PosixTimerEntry *), compare_ids);
	if (chosen)
		tape_call(
			t->become, SYS_prctl,
			TAPE_ARGS(tape_imm(PR_TIMER_CREATE_RESTORE_IDS), tape_imm(RESTORE_IDS_ON)),
			"choosing ids of timers");
	for (size_t i = 0; i < timers->n_posix; i++) {
		const PosixTimerEntry *e = timers->posix[i];

		if (e->insec > 999999999 || e->vnsec > 999999999 || e->isec > INT64_MAX ||
		    e->vsec > INT64_MAX || e->it_id > INT32_MAX || e->it_id < next)
			return err_set(err, -EBADMSG, "core-%u.img: bad timer %u", t->pid,
				       e->it_id);
		if (!chosen && e->it_id > COUNTED_IDS_MAX)
			return err_set(err, -EOPNOTSUPP,
				       "task %u (%s): timer %u needs Linux 6.15 for its id", t->pid,
				       rtask_comm(t), e->it_id);
		for (; !chosen && next < e->it_id; next++) {
			tape_create(r, t, e, 0);
			tape_call(t->become, SYS_timer_delete, TAPE_ARGS(tape_imm(next)),
				  "skipping timer %u", next);
		}
		tape_create(r, t, e, (int32_t)e->it_id);
		next = e->it_id + 1;
	}
	if (chosen)
		tape_call(
			t->become, SYS_prctl,
			TAPE_ARGS(tape_imm(PR_TIMER_CREATE_RESTORE_IDS), tape_imm(RESTORE_IDS_OFF)),
			"choosing ids of timers no more");
	return 0;
}

int timer_tape(struct restore *r, struct rtask *t, struct error *err)
{
	TaskTimersEntry *timers = t->core->tc->timers;
	int ret;

	if (!timers)
		return 0;
	ret = check_itimer(t, timers->real, err);
	if (ret >= 0)
		ret = check_itimer(t, timers->virt, err);
	if (ret >= 0)
		ret = check_itimer(t, timers->prof, err);
	return ret < 0 ? ret : tape_posix_timers(r, t, timers, err);
}

static void tape_itimer(struct restore *r, struct rtask *t, int which, const ItimerEntry *it)
{
	struct itimerval value;

	if (!it || !(it->vsec || it->vusec || it->isec || it->iusec))
		return;
	value.it_interval.tv_sec = (time_t)it->isec;
	value.it_interval.tv_usec = (suseconds_t)it->iusec;
	value.it_value.tv_sec = (time_t)it->vsec;
	value.it_value.tv_usec = (suseconds_t)it->vusec;
	/* It has just run out and its signal waits: the kernel would start it anew when that
	 * is delivered, by the interval, which can't be set alone. */
	if (!it->vsec && !it->vusec)
		value.it_value = value.it_interval;
	tape_call(t->become, SYS_setitimer,
		  TAPE_ARGS(tape_imm((uint64_t)which),
			    tape_at(area_add(&r->area, &value, sizeof(value)))),
		  "interval timer %d runs", which);
}

void timer_tape_arm(struct restore *r, struct rtask *t)
{
	const TaskTimersEntry *timers = t->core->tc->timers;

	if (!timers)
		return;
	tape_itimer(r, t, ITIMER_REAL, timers->real);
	tape_itimer(r, t, ITIMER_VIRTUAL, timers->virt);
	tape_itimer(r, t, ITIMER_PROF, timers->prof);
	for (size_t i = 0; i < timers->n_posix; i++) {
		const PosixTimerEntry *e = timers->posix[i];
		struct itimerspec value = {
			.it_interval = { (time_t)e->isec, (long)e->insec },
			.it_value = { (time_t)e->vsec, (long)e->vnsec },
		};

		if (!e->vsec && !e->vnsec)
			continue;
		tape_call(t->become, SYS_timer_settime,
			  TAPE_ARGS(tape_imm(e->it_id), tape_imm(0),
				    tape_at(area_add(&r->area, &value, sizeof(value)))),
			  "timer %u runs", e->it_id);
	}
}
