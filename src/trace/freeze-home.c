#include <errno.h>
#include <sched.h>
#include <sys/ptrace.h>

#include "base/err.h"
#include "base/log.h"
#include "trace/freeze-priv.h"
#include "trace/regs.h"
#include "trace/slot.h"

static int is_leaving(const struct frozen_task *task, const struct frozen_thread *t,
		      const struct slot_room *room, struct error *err)
{
	struct user_regs_struct regs;
	int r;

	if (!t->stopped || t->gone)
		return 0;
	r = regs_get(t->host_tid, &regs, err);
	if (r == -EOPNOTSUPP || r == -ESRCH) /* 32-bit code is none of ours */
		return 0;
	if (r < 0)
		return r;
	return slot_is_leaving(task->host_pid, room, regs.rip);
}

int freeze_let_home(struct freeze *f, size_t task, struct error *err)
{
	struct frozen_task *t = &f->tasks[task];
	struct slot_room room;
	int leaving = 0;

	if (t->home || t->zombie || t->n_threads == 0)
		return 0;
	/* Without padding nobody has planted anything there. */
	if (slot_look(t->host_pid, &room, NULL) < 0 || !room.dirty) {
		t->home = true;
		return 0;
	}
	for (size_t i = 0; i < t->n_threads; i++) {
		int r = is_leaving(t, &t->threads[i], &room, err);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		log_debug("thread %d is still leaving a dump that was killed",
			  (int)t->threads[i].host_tid);
		t->threads[i].stopped = false;
		leaving++;
		/* Without an interrupt on its way: that would stop it where it is. ESRCH from
		 * any of these: killed; the wait will tell. */
		(void)ptrace(PTRACE_CONT, t->threads[i].host_tid, NULL, NULL);
		(void)sched_yield();
		(void)ptrace(PTRACE_INTERRUPT, t->threads[i].host_tid, NULL, NULL);
	}
	t->home = leaving == 0;
	return leaving;
}
