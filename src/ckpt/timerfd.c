/*
 * timerfd: a clock, the time left, the interval, and the ticks nobody has read.
 *
 * An interval timer that has run out stands still until somebody reads it:
 * until then its fdinfo tells neither the ticks missed nor the next one.
 * timerfd_gettime(2) makes the kernel account for them, and takes nothing
 * away; so it comes first.
 *
 * The image has the time left, whatever way it was set. A timer of the wall
 * clock set to an absolute time keeps following that clock.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

#define FDINFO_MAX ((size_t)64 << 10)

static bool number_of(const char *text, const char *key, unsigned int base, uint64_t *ret)
{
	const char *p = scan_find_line(text, key);

	return p && scan_u64(&p, base, ret);
}

int timerfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	TimerfdEntry entry = TIMERFD_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	cleanup_free char *text = NULL;
	struct itimerspec left;
	uint64_t clock = 0, flags = 0;
	char path[40];
	size_t len;
	int r;

	if (timerfd_gettime(fd->fd, &left) < 0)
		return err_sys(err, "%s: timerfd: time left", fd->look.where);
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd->fd); /* always fits */
	r = file_read_record_at(AT_FDCWD, path, FDINFO_MAX, &text, &len, err);
	if (r < 0)
		return err_wrap(err, r, "%s: timerfd", fd->look.where);
	if (!number_of(text, "clockid: ", 10, &clock) ||
	    !number_of(text, "ticks: ", 10, &entry.ticks) ||
	    !number_of(text, "settime flags: ", 8, &flags))
		return err_set(err, -EBADMSG, "%s: timerfd: strange fdinfo", fd->look.where);
	entry.id = fd->id;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	entry.clockid = (uint32_t)clock;
	entry.settime_flags = (uint32_t)flags;
	entry.vsec = (uint64_t)left.it_value.tv_sec;
	entry.vnsec = (uint64_t)left.it_value.tv_nsec;
	entry.isec = (uint64_t)left.it_interval.tv_sec;
	entry.insec = (uint64_t)left.it_interval.tv_nsec;
	file.type = FD_TYPES__TIMERFD;
	file.id = fd->id;
	file.tfd = &entry;
	return image_write(&dump->files, &file.base, err);
}

int timerfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const TimerfdEntry *e = file->entry->tfd;
	uint32_t slot;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: timerfd %u has no record",
			       file->entry->id);
	if (e->vnsec >= NS_PER_SEC || e->insec >= NS_PER_SEC || e->vsec > INT64_MAX ||
	    e->isec > INT64_MAX)
		return err_set(err, -EBADMSG, "files.img: timerfd %u has bad times", e->id);
	slot = tape_call(tape, SYS_timerfd_create,
			 TAPE_ARGS(tape_imm(e->clockid), tape_imm(e->flags & O_NONBLOCK)),
			 "making timerfd %u", e->id);
	return rfile_stage(r, tape, file, slot, err);
}

/* From now on it runs: after the files are placed, which takes a while. */
int timerfd_tape_late(struct restore *r, struct rtask *t, uint32_t number, struct rfile *file,
		      struct error *err UNUSED)
{
	const TimerfdEntry *e = file->entry->tfd;
	bool wall = e->clockid == CLOCK_REALTIME || e->clockid == CLOCK_REALTIME_ALARM;
	uint32_t flags = 0;
	struct itimerspec left = {
		.it_value = { (time_t)e->vsec, (long)e->vnsec },
		.it_interval = { (time_t)e->isec, (long)e->insec },
	};

	if (!e->vsec && !e->vnsec && (e->isec || e->insec) && e->ticks) {
		/* Ran out before a dump that did not make the kernel account for it. */
		left.it_value.tv_nsec = 1;
	} else if (wall && (e->settime_flags & TFD_TIMER_ABSTIME) && (e->vsec || e->vnsec)) {
		struct timespec now = { 0 };

		(void)clock_gettime(CLOCK_REALTIME, &now); /* this clock always is */
		left.it_value.tv_sec += now.tv_sec;
		left.it_value.tv_nsec += now.tv_nsec;
		if (left.it_value.tv_nsec >= (long)NS_PER_SEC) {
			left.it_value.tv_nsec -= (long)NS_PER_SEC;
			left.it_value.tv_sec++;
		}
		flags = e->settime_flags & (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	}
	/* Disarmed, it may still remember an interval. */
	if (left.it_value.tv_sec || left.it_value.tv_nsec || e->isec || e->insec)
		tape_call(t->become, SYS_timerfd_settime,
			  TAPE_ARGS(tape_imm(number), tape_imm(flags),
				    tape_at(area_add(&r->area, &left, sizeof(left))), tape_imm(0)),
			  "setting timerfd %u", e->id);
	if (e->ticks)
		tape_call(t->become, SYS_ioctl,
			  TAPE_ARGS(tape_imm(number), tape_imm(TFD_IOC_SET_TICKS),
				    tape_at(area_add(&r->area, &e->ticks, sizeof(e->ticks)))),
			  "timerfd %u: %" PRIu64 " ticks not read yet", e->id, e->ticks);
	return 0;
}
