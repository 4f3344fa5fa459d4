/*
 * staging: numbers under which descriptors wait until their tasks take them.
 *
 * They are numbers that no task has of its own. M's are inherited by R, R's by
 * all tasks; each closes what it neither has nor needs on its way.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"

#define STAGING_MIN 64
#define FD_LIMIT (1 << 20)

static bool fd_is_used(const struct restore *r, size_t fd)
{
	return fd < r->fd_max && (r->fd_used[fd / 8] >> (fd % 8) & 1);
}

static int fd_mark(struct restore *r, size_t fd, struct error *err)
{
	if (fd >= FD_LIMIT)
		return err_set(err, -EBADMSG, "descriptor %zu is out of range", fd);
	if (fd >= r->fd_max) {
		size_t max = (fd | 1023) + 1;
		uint8_t *used = realloc(r->fd_used, max / 8);

		if (!used)
			return err_oom(err);
		memset(used + r->fd_max / 8, 0, (max - r->fd_max) / 8);
		r->fd_used = used;
		r->fd_max = max;
	}
	r->fd_used[fd / 8] |= (uint8_t)(1 << (fd % 8));
	return 0;
}

int fd_stage(struct restore *r, struct error *err)
{
	size_t fd = r->fd_next < STAGING_MIN ? STAGING_MIN : r->fd_next;
	int ret;

	while (fd_is_used(r, fd))
		fd++;
	r->fd_next = fd + 1;
	ret = fd_mark(r, fd, err);
	return ret < 0 ? ret : (int)fd;
}

int fd_stage_consume(struct restore *r, int fd, struct error *err)
{
	cleanup_fd int old = fd;
	int *own = realloc(r->own_fds, (r->n_own_fds + 1) * sizeof(*own));
	int staging;

	if (!own)
		return err_oom(err);
	r->own_fds = own;
	staging = fd_stage(r, err);
	if (staging < 0)
		return staging;
	if (dup3(old, staging, O_CLOEXEC) < 0)
		return err_sys(err, "duplicate descriptor %d to %d", old, staging);
	own[r->n_own_fds++] = staging;
	return staging;
}

void fd_tape_stage(struct tape *tape, uint32_t slot, int staging)
{
	uint32_t entry = tape_call(
		tape, SYS_dup3,
		TAPE_ARGS(tape_slot(slot), tape_imm((uint64_t)staging), tape_imm(O_CLOEXEC)),
		"keeping it as descriptor %d", staging);

	tape_expect(tape, entry, PIE_RULE_EQUAL, staging);
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(slot)), "keeping it as descriptor %d",
		  staging);
}

int fd_mark_numbers(struct restore *r, struct error *err)
{
	cleanup_free int *fds = NULL;
	size_t n = 0;
	int ret = proc_fds_of(getpid(), &fds, &n, err);

	for (size_t i = 0; ret >= 0 && i < n; i++)
		ret = fd_mark(r, (size_t)fds[i], err);
	for (size_t i = 0; ret >= 0 && i < r->n_tasks; i++)
		for (size_t j = 0; ret >= 0 && j < r->tasks[i]->n_fds; j++)
			ret = fd_mark(r, r->tasks[i]->fds[j]->fd, err);
	return ret;
}

/* ------------------------------------------------------------ what a task keeps */

/* The first that is not below it. Lists ascend, and what is added mostly is the highest. */
static size_t list_place(const uint32_t *list, size_t n, uint32_t staging)
{
	size_t low = 0;
	size_t high = n;

	if (n && list[n - 1] < staging)
		return n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle] < staging)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_listed(const uint32_t *list, size_t n, int staging)
{
	size_t at = list_place(list, n, (uint32_t)staging);

	return at < n && list[at] == (uint32_t)staging;
}

static int list_add(uint32_t **list, size_t *n, int staging, struct error *err)
{
	size_t at = list_place(*list, *n, (uint32_t)staging);
	uint32_t *more = NULL;

	if (at < *n && (*list)[at] == (uint32_t)staging)
		return 0;
	more = realloc(*list, (*n + 1) * sizeof(*more));
	if (!more)
		return err_oom(err);
	*list = more;
	memmove(more + at + 1, more + at, (*n - at) * sizeof(*more));
	more[at] = (uint32_t)staging;
	(*n)++;
	return 0;
}

int fd_keep(struct rtask *t, int staging, struct error *err)
{
	return list_add(&t->keep, &t->n_keep, staging, err);
}

int fd_hold(struct rtask *t, int staging, struct error *err)
{
	return list_add(&t->hold, &t->n_hold, staging, err);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int fd_tape_close_rest(struct rtask *t, struct error *err)
{
	cleanup_free uint32_t *open = calloc(t->n_fds + t->n_keep + t->n_hold + 1, sizeof(*open));
	uint64_t from = 0;
	size_t n = 0;

	if (!open)
		return err_oom(err);
	for (size_t i = 0; i < t->n_fds; i++)
		open[n++] = t->fds[i]->fd;
	for (size_t i = 0; i < t->n_keep; i++)
		open[n++] = t->keep[i];
	for (size_t i = 0; i < t->n_hold; i++)
		if (!is_listed(t->keep, t->n_keep, (int)t->hold[i]))
			open[n++] = t->hold[i];
	qsort(open, n, sizeof(*open), compare_numbers);
	for (size_t i = 0; i < n; i++) {
		if (i && open[i] == open[i - 1])
			return err_set(err, -EBADMSG, "task %u (%s): descriptor %u is there twice",
				       t->pid, rtask_comm(t), open[i]);
		if (open[i] > from)
			tape_call(t->build, SYS_close_range,
				  TAPE_ARGS(tape_imm(from), tape_imm(open[i] - 1u)),
				  "closing descriptors %" PRIu64 " to %u", from, open[i] - 1);
		from = (uint64_t)open[i] + 1;
	}
	tape_call(t->build, SYS_close_range, TAPE_ARGS(tape_imm(from), tape_imm(~0u)),
		  "closing descriptors from %" PRIu64 " on", from);
	return 0;
}

void fd_tape_drop(struct rtask *t)
{
	for (size_t i = 0; i < t->n_keep; i++)
		if (!is_listed(t->hold, t->n_hold, (int)t->keep[i]))
			tape_call(t->become, SYS_close, TAPE_ARGS(tape_imm(t->keep[i])),
				  "closing descriptor %u", t->keep[i]);
}
