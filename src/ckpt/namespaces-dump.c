/*
 * namespaces: contents of uts, ipc and time namespaces.
 *
 * To read them we go there: a child enters the namespace with setns(2) and
 * tells us through a pipe what it sees.
 */
#include "ckpt/namespaces.h"

#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "img/pb/timens.pb-c.h"

int namespaces_check(struct dump *dump, struct error *err)
{
	if (dump->ns[DUMP_NS_USER].other)
		return err_set(err, -EOPNOTSUPP,
			       "task %d: it has a user namespace of its own: this version can't "
			       "save that",
			       dump->opts->pid);
	return 0;
}

/* Clocks as the tree sees them at this moment; number 0 when it has no namespace of its own. */
static int write_clocks(struct dump *dump, struct error *err)
{
	TimensEntry entry = TIMENS_ENTRY__INIT;
	Timespec monotonic = TIMESPEC__INIT;
	Timespec boottime = TIMESPEC__INIT;
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return err_sys(err, "read the monotonic clock");
	monotonic.tv_sec = (uint64_t)now.tv_sec;
	monotonic.tv_nsec = (uint64_t)now.tv_nsec;
	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return err_sys(err, "read the boot clock");
	boottime.tv_sec = (uint64_t)now.tv_sec;
	boottime.tv_nsec = (uint64_t)now.tv_nsec;
	entry.monotonic = &monotonic;
	entry.boottime = &boottime;
	return dump_image_one(dump, IMG_KIND_TIMENS, 0, &entry.base, err);
}

int namespaces_write(struct dump *dump, struct error *err)
{
	return write_clocks(dump, err);
}
