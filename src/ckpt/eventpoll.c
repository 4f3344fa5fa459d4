/*
 * eventpoll: what an epoll instance watches.
 *
 * The kernel knows a watched file by its description and the number it had
 * when it was added. That number may have been closed since, or be another file
 * now, while the description lives on under another number: kcmp(2) tells.
 * The images name a target by a number only, in the table of a task that holds
 * the epoll instance, so a description that no holder has can't be saved.
 *
 * On restore R makes empty instances. Targets are added by a holder once its
 * own descriptors stand in place: the kernel looks up the number, and a
 * signalfd is watched for the signals of the task that adds it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

/* One target as fdinfo has it, and the how-manieth with the same number it is. */
struct target {
	EventpollTfdEntry entry;
	size_t order; /* in fdinfo: the kernel's own */
	uint32_t nth;
};

struct targets {
	struct target *v;
	size_t n;
	size_t size;
};

static void targets_done(struct targets *targets)
{
	free(targets->v);
}

/* "tfd:  5 events:  19 data:  5  pos:0 ino:61 sdev:9" */
static bool parse_target(const char *p, EventpollTfdEntry *entry)
{
	int64_t pos;
	int tfd;

	scan_blanks(&p);
	if (!scan_int(&p, &tfd) || !scan_literal(&p, " events:"))
		return false;
	scan_blanks(&p);
	if (!scan_u32(&p, 16, &entry->events) || !scan_literal(&p, " data:"))
		return false;
	scan_blanks(&p);
	if (!scan_u64(&p, 16, &entry->data))
		return false;
	scan_blanks(&p);
	if (!scan_literal(&p, "pos:") || !scan_i64(&p, &pos) || !scan_literal(&p, " ino:") ||
	    !scan_u64(&p, 16, &entry->inode) || !scan_literal(&p, " sdev:") ||
	    !scan_u32(&p, 16, &entry->dev))
		return false;
	entry->tfd = (uint32_t)tfd;
	entry->pos = (uint64_t)pos;
	entry->has_dev = true;
	entry->has_inode = true;
	entry->has_pos = true;
	return true;
}

static int targets_parse(const char *text, struct targets *targets, struct error *err)
{
	for (const char *p = text; (p = scan_find_line(p, "tfd:")); p = scan_next_line(p)) {
		struct target *t;

		if (targets->n == targets->size) {
			size_t size = targets->size ? 2 * targets->size : 16;
			struct target *more = reallocarray(targets->v, size, sizeof(*more));

			if (!more)
				return err_oom(err);
			targets->v = more;
			targets->size = size;
		}
		t = &targets->v[targets->n];
		*t = (struct target){ .entry = EVENTPOLL_TFD_ENTRY__INIT, .order = targets->n };
		if (!parse_target(p, &t->entry))
			return err_set(err, -EBADMSG, "epoll: strange fdinfo '%.80s'", p);
		targets->n++;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct target *x = a;
	const struct target *y = b;

	if (x->entry.tfd != y->entry.tfd)
		return x->entry.tfd < y->entry.tfd ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* kcmp(2) wants to know which of those with an equal number is meant. */
static void targets_count(struct targets *targets)
{
	if (targets->n)
		qsort(targets->v, targets->n, sizeof(*targets->v), by_number);
	for (size_t i = 1; i < targets->n; i++) {
		struct target *t = &targets->v[i];

		if (t[-1].entry.tfd == t->entry.tfd)
			t->nth = t[-1].nth + 1;
	}
}

static uint64_t stat_sdev(const struct stat *st)
{
	/* As the kernel keeps it: 12 bits of major above 20 of minor. */
	return (uint64_t)major(st->st_dev) << 20 | minor(st->st_dev);
}

/* Is the holder's descriptor `number` the description that is watched? */
static bool is_target(pid_t holder, pid_t host_pid, int efd, const struct target *t, int number)
{
	struct kcmp_epoll_slot slot = { .efd = (uint32_t)efd, .tfd = t->entry.tfd, .toff = t->nth };
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", holder, number); /* always fits */
	if (stat(path, &st) < 0 || st.st_ino != t->entry.inode || stat_sdev(&st) != t->entry.dev)
		return false;
	/* A socket has one description; for others kcmp walks all that are watched. */
	if (S_ISSOCK(st.st_mode))
		return true;
	return syscall(SYS_kcmp, holder, host_pid, KCMP_EPOLL_TFD, number, &slot) == 0;
}

/* Another number of the task's own for the same description. */
static int find_number(const struct dump_fd *fd, struct target *t, struct error *err)
{
	pid_t host_pid = fd->task->host_pid;
	cleanup_free int *numbers = NULL;
	size_t n = 0;
	int r;

	if (is_target(host_pid, host_pid, fd->number, t, (int)t->entry.tfd))
		return 0;
	r = proc_fds_of(host_pid, &numbers, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (is_target(host_pid, host_pid, fd->number, t, numbers[i])) {
			t->entry.tfd = (uint32_t)numbers[i];
			return 0;
		}
	}
	r = err_set(err, -EOPNOTSUPP,
		    "%s: epoll: it watches a file that task %d had as descriptor %u and has closed",
		    fd->look.where, host_pid, t->entry.tfd);
	err_hint(err, "remove a file from the epoll instance before closing it when other "
		      "processes have it open");
	return r;
}

/* Watched under two numbers of which one is closed: only one could be told. */
static int check_twice(const struct dump_fd *fd, struct targets *targets, struct error *err)
{
	if (targets->n)
		qsort(targets->v, targets->n, sizeof(*targets->v), by_number);
	for (size_t i = 1; i < targets->n; i++)
		if (targets->v[i].entry.tfd == targets->v[i - 1].entry.tfd)
			return err_set(err, -EOPNOTSUPP,
				       "%s: epoll: it watches the file of descriptor %u twice, "
				       "under a number that was closed as well",
				       fd->look.where, targets->v[i].entry.tfd);
	return 0;
}

int eventpoll_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	EventpollFileEntry entry = EVENTPOLL_FILE_ENTRY__INIT;
	__attribute__((cleanup(targets_done))) struct targets targets = { NULL };
	cleanup_free EventpollTfdEntry **list = NULL;
	FileEntry file = FILE_ENTRY__INIT;
	int r;

	r = targets_parse(fd->fdinfo, &targets, err);
	if (r < 0)
		return err_wrap(err, r, "%s", fd->look.where);
	list = calloc(targets.n ? targets.n : 1, sizeof(*list));
	if (!list)
		return err_oom(err);
	targets_count(&targets);
	for (size_t i = 0; i < targets.n; i++) {
		r = find_number(fd, &targets.v[i], err);
		if (r < 0)
			return r;
	}
	r = check_twice(fd, &targets, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < targets.n; i++) {
		targets.v[i].entry.id = fd->id;
		list[i] = &targets.v[i].entry;
	}
	entry.id = fd->id;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	entry.n_tfd = targets.n;
	entry.tfd = list;
	file.type = FD_TYPES__EVENTPOLL;
	file.id = fd->id;
	file.epfd = &entry;
	return image_write(&dump->files, &file.base, err);
}

int eventpoll_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const EventpollFileEntry *e = file->entry->epfd;
	uint32_t slot;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: epoll %u has no record", file->entry->id);
	slot = tape_call(tape, SYS_epoll_create1, TAPE_ARGS(tape_imm(0)), "making epoll %u", e->id);
	return rfile_stage(r, tape, file, slot, err);
}

/* The first task from `t` on that holds both the instance and the target. */
static struct rtask *find_holder(struct restore *r, struct rtask *t, uint32_t id, uint32_t tfd,
				 uint32_t *ret_number)
{
	bool behind = false;

	for (size_t i = 0; i < r->n_tasks; i++) {
		struct rtask *other = r->tasks[i];

		behind = behind || other == t;
		if (!behind || !rtask_lives(other) || !rtask_fd(other, tfd))
			continue;
		for (size_t j = 0; j < other->n_fds; j++) {
			if (other->fds[j]->id == id) {
				*ret_number = other->fds[j]->fd;
				return other;
			}
		}
	}
	return NULL;
}

int eventpoll_tape_late(struct restore *r, struct rtask *t, uint32_t number, struct rfile *file,
			struct error *err)
{
	const EventpollFileEntry *e = file->entry->epfd;

	for (size_t i = 0; i < e->n_tfd; i++) {
		const EventpollTfdEntry *tfd = e->tfd[i];
		struct epoll_event event = { .events = tfd->events, .data.u64 = tfd->data };
		struct rtask *adder = t;
		uint32_t efd = number;

		/* It may be closed where the instance is found first, and open in a child. */
		if (!rtask_fd(t, tfd->tfd))
			adder = find_holder(r, t, e->id, tfd->tfd, &efd);
		if (!adder)
			return err_set(err, -EBADMSG,
				       "files.img: epoll %u watches descriptor %u, which no task "
				       "that has it open holds",
				       e->id, tfd->tfd);
		tape_call(adder->become, SYS_epoll_ctl,
			  TAPE_ARGS(tape_imm(efd), tape_imm(EPOLL_CTL_ADD), tape_imm(tfd->tfd),
				    tape_at(area_add(&r->area, &event, sizeof(event)))),
			  "epoll %u: watching descriptor %u", e->id, tfd->tfd);
	}
	return 0;
}
