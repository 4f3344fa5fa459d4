/*
 * timens-restore: CLOCK_MONOTONIC and CLOCK_BOOTTIME go on where they stopped.
 *
 * A time namespace adds offsets to both clocks. Its offsets can be written
 * until the first task is in it, and a task enters it by being born: M makes
 * the namespace for its next children, writes the offsets, makes R, and goes
 * back to its own.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/timens.pb-c.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define SECOND INT64_C(1000000000)

static int read_image(struct restore *r, TimensEntry **ret, struct error *err)
{
	const TaskKobjIdsEntry *ids = r->root->ids;
	int dir = r->opts->images_dir;
	int ret_code = -ENOENT;

	if (ids->has_time_ns_id)
		ret_code =
			image_read_one(dir, IMG_KIND_TIMENS, ids->time_ns_id, &r->arena, ret, err);
	if (ret_code == -ENOENT)
		ret_code = image_read_one(dir, IMG_KIND_TIMENS, 0, &r->arena, ret, err);
	return ret_code;
}

/* What must be added to the host's clock. Our own namespace's share of what we see is
 * undone by the kernel's bookkeeping: offsets are from the host's clock, so add ours. */
static int64_t offset_of(clockid_t clock, const Timespec *then, int64_t own_offset)
{
	struct timespec now = { 0 };

	(void)clock_gettime(clock, &now); /* these clocks always are */
	return ((int64_t)then->tv_sec - now.tv_sec) * SECOND + (int64_t)then->tv_nsec -
	       now.tv_nsec + own_offset;
}

/* Lines "monotonic SECONDS NANOSECONDS", "boottime ..." */
static int own_offsets(int64_t *ret_monotonic, int64_t *ret_boottime, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	long long ms = 0, bs = 0;
	long mn = 0, bn = 0;
	int ret = file_read_at(AT_FDCWD, "/proc/self/timens_offsets", 4096, &text, &len, err);

	if (ret < 0)
		return ret;
	if (sscanf(text, "monotonic %lld %ld boottime %lld %ld", &ms, &mn, &bs, &bn) != 4)
		return err_set(err, -EBADMSG, "/proc/self/timens_offsets has an unknown form");
	*ret_monotonic = ms * SECOND + mn;
	*ret_boottime = bs * SECOND + bn;
	return 0;
}

static void split(int64_t ns, int64_t *ret_s, int64_t *ret_ns)
{
	*ret_s = ns / SECOND;
	*ret_ns = ns % SECOND;
	if (*ret_ns < 0) {
		*ret_ns += SECOND;
		(*ret_s)--;
	}
}

int timens_begin(struct restore *r, int *ret_old_fd, struct error *err)
{
	cleanup_fd int old = -EBADF;
	TimensEntry *entry = NULL;
	int64_t monotonic = 0, boottime = 0, ms, mn, bs, bn;
	char text[128];
	int ret = read_image(r, &entry, err);

	if (ret == -ENOENT) {
		log_debug("the images don't tell the clocks");
		return 0;
	}
	if (ret < 0)
		return ret;
	if (!entry->monotonic || !entry->boottime || entry->monotonic->tv_nsec >= SECOND ||
	    entry->boottime->tv_nsec >= SECOND || entry->monotonic->tv_sec > INT32_MAX ||
	    entry->boottime->tv_sec > INT32_MAX)
		return err_set(err, -EBADMSG, "timens image: bad times");
	old = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
	if (old < 0)
		return err_sys(err, "open own time namespace");
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(err, "make a time namespace");
	ret = own_offsets(&monotonic, &boottime, err);
	if (ret >= 0) {
		split(offset_of(CLOCK_MONOTONIC, entry->monotonic, monotonic), &ms, &mn);
		split(offset_of(CLOCK_BOOTTIME, entry->boottime, boottime), &bs, &bn);
		snprintf(text, sizeof(text),
			 "monotonic %" PRId64 " %" PRId64 "\nboottime %" PRId64 " %" PRId64 "\n",
			 ms, mn, bs, bn);
		ret = file_poke_at(AT_FDCWD, "/proc/self/timens_offsets", text, err);
	}
	if (ret < 0) {
		(void)timens_end(take_fd(&old), NULL); /* the first failure is the one to tell */
		return err_wrap(err, ret, "time namespace");
	}
	*ret_old_fd = take_fd(&old);
	return 0;
}

int timens_end(int old_fd, struct error *err)
{
	cleanup_fd int fd = old_fd;

	if (fd >= 0 && setns(fd, CLONE_NEWTIME) < 0)
		return err_sys(err, "return to own time namespace");
	return 0;
}
