/*
 * sysv-undo-dump: does a task owe something to a semaphore?
 *
 * With SEM_UNDO the kernel notes for each process and semaphore what is to be
 * added when the process ends. Nothing shows these notes, and the images have no
 * field for them; so a task that has some must be refused, and to be found.
 *
 * The kernel refuses an operation by which a note would leave 16 bits (ERANGE),
 * before it does anything, and all operations of one semop(2) are done or none.
 * So the task itself is made to try what can't succeed, for the last of the
 * operations would have to wait: if it fails for the note's sake, there is one.
 *
 *	n > 0:	value to 32767; -32767 with SEM_UNDO: n + 32767 is too large
 *	n < 0:	value to 0; +32767 with SEM_UNDO, -32767 without, +1 with
 *		SEM_UNDO: n - 32768 is too small
 *	then	-32768 without waiting: EAGAIN, nothing has changed
 */
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/sysv.h"
#include "trace/area.h"
#include "trace/remote.h"
#include "trace/tape.h"

#define VALUE_MAX 32767
#define OPS_EACH 5 /* at most, and one at the end */
#define AT_ONCE_MAX 64

struct dump_set {
	struct dump_set *next;
	int id;
	uint32_t ns_id;
	uint32_t at_once; /* semaphores that one call can look at */
	size_t n;
	const unsigned short *values;
};

/* Operations that the namespace allows in one call. */
static int ops_limit(uint64_t *ret, struct error *err)
{
	cleanup_free char *text = NULL;
	const char *p;
	size_t len;
	int r = file_read_at(AT_FDCWD, "/proc/sys/kernel/sem", 256, &text, &len, err);

	if (r < 0)
		return r;
	p = text;
	for (int i = 0; i < 3; i++) {
		scan_blanks(&p);
		if (!scan_u64(&p, 10, ret))
			return err_set(err, -EBADMSG, "/proc/sys/kernel/sem: '%s'", text);
	}
	return 0;
}

static int note_set(struct dump *dump, int id, size_t n, uint32_t ns_id, uint64_t limit,
		    struct error *err)
{
	struct dump_set *set = arena_new(&dump->arena, struct dump_set);
	unsigned short *values = arena_new_array(&dump->arena, unsigned short, n + 1);
	uint64_t at_once = limit > OPS_EACH ? (limit - 1) / OPS_EACH : 0;

	if (!set || !values)
		return err_oom(err);
	if (semctl(id, 0, GETALL, values) < 0)
		return errno == EIDRM || errno == EINVAL
			       ? 0 /* somebody else's, gone meanwhile */
			       : err_sys(err, "read semaphore set %d", id);
	*set = (struct dump_set){ .next = dump->sysv_sets, .id = id, .ns_id = ns_id, .n = n };
	set->at_once = at_once < AT_ONCE_MAX ? (uint32_t)at_once : AT_ONCE_MAX;
	set->values = values;
	dump->sysv_sets = set;
	return 0;
}

int sysv_note_sets(struct dump *dump, uint32_t ns_id, struct error *err)
{
	struct seminfo info;
	struct semid_ds ds;
	uint64_t limit = 0;
	int last = semctl(0, 0, SEM_INFO, &info);
	int r = last >= 0 ? 0 : err_sys(err, "count semaphore sets");

	if (r == 0 && info.semusz)
		r = ops_limit(&limit, err);
	for (int i = 0; r == 0 && info.semusz && i <= last; i++) {
		int id = semctl(i, 0, SEM_STAT, &ds);

		if (id >= 0)
			r = note_set(dump, id, ds.sem_nsems, ns_id, limit, err);
		else if (errno != EINVAL && errno != EACCES)
			r = err_sys(err, "look at the semaphore set with index %d", i);
	}
	return r;
}

static void add_op(struct sembuf *ops, size_t *n, size_t sem, int op, int flags)
{
	/* 0 would wait for zero. None may wait, should somebody outside change a value meanwhile.
	 */
	if (op)
		ops[(*n)++] = (struct sembuf){ .sem_num = (unsigned short)sem,
					       .sem_op = (short)op,
					       .sem_flg = (short)(flags | IPC_NOWAIT) };
}

/* Looks at semaphores [from, to) for notes above or below 0. */
static uint32_t tape_look(struct area *area, struct tape *tape, const struct dump_set *set,
			  size_t from, size_t to, bool above)
{
	struct sembuf ops[AT_ONCE_MAX * OPS_EACH + 1];
	size_t n = 0;
	uint32_t entry;

	for (size_t i = from; i < to; i++) {
		int value = set->values[i];

		if (above) {
			add_op(ops, &n, i, VALUE_MAX - value, 0);
			add_op(ops, &n, i, -VALUE_MAX, SEM_UNDO);
		} else {
			add_op(ops, &n, i, -value, 0);
			add_op(ops, &n, i, VALUE_MAX, SEM_UNDO);
			add_op(ops, &n, i, -VALUE_MAX, 0);
			add_op(ops, &n, i, 1, SEM_UNDO);
		}
	}
	add_op(ops, &n, from, -VALUE_MAX - 1, 0);
	entry = tape_call(tape, SYS_semop,
			  TAPE_ARGS(tape_imm((uint64_t)set->id),
				    tape_at(area_add(area, ops, n * sizeof(*ops))), tape_imm(n)),
			  "notes on semaphore set %d", set->id);
	tape_expect(tape, entry, PIE_RULE_ANY, 0);
	return entry;
}

/* The entries of a tape that looks at all sets lie one behind the other, from `first` on. */
static int judge(const struct dump *dump, const struct dump_task *task, const struct tape *tape,
		 const struct pie_area *live, uint32_t first, struct error *err)
{
	uint32_t entry = first;

	for (const struct dump_set *set = dump->sysv_sets; set; set = set->next) {
		if (set->ns_id != task->ids->ipc_ns_id)
			continue;
		for (size_t from = 0; from < set->n; from += set->at_once)
			for (int side = 0; side < 2; side++) {
				int64_t result = tape_result(tape, live, entry++);
				int r;

				/* It may not change the set, or the set is gone. */
				if (result == -EAGAIN || result == -EACCES || result == -EIDRM ||
				    result == -EINVAL)
					continue;
				r = err_set(err, -EOPNOTSUPP,
					    "task %d: semaphore set %d: the kernel is to undo "
					    "something at its end (SEM_UNDO), which can't be saved",
					    task->host_pid, set->id);
				err_hint(err, "checkpoint it while it holds no such semaphore");
				return r;
			}
	}
	return 0;
}

static int look_at(struct dump *dump, const struct dump_task *task, struct error *err)
{
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area = { .size = 0 };
	uint32_t first = UINT32_MAX;
	struct tape *tape;
	int r = area_init(&area, err);

	if (r < 0)
		return r;
	tape = area_add_tape(&area, (uint32_t)task->host_pid, "semaphores");
	for (const struct dump_set *set = dump->sysv_sets; set; set = set->next) {
		if (set->ns_id != task->ids->ipc_ns_id)
			continue;
		if (!set->at_once)
			return err_set(
				err, -EOPNOTSUPP,
				"task %d: kernel.sem allows too few operations at once to find "
				"out whether it has used SEM_UNDO",
				task->host_pid);
		for (size_t from = 0; from < set->n; from += set->at_once) {
			size_t to = from + set->at_once < set->n ? from + set->at_once : set->n;
			uint32_t entry = tape_look(&area, tape, set, from, to, true);

			first = first == UINT32_MAX ? entry : first;
			(void)tape_look(&area, tape, set, from, to, false);
		}
	}
	if (first == UINT32_MAX)
		return 0;
	r = remote_begin(&remote, task->host_pid, NULL, &area, tape, err);
	if (r == 0)
		r = judge(dump, task, tape, remote.live, first, err);
	return r < 0 ? r : remote_end(&remote, err);
}

/* No list of notes at all, as we have none ourselves. A list may be empty, and threads made by
 * the C library have one. */
static bool has_no_list(const struct dump_task *task)
{
	return syscall(SYS_kcmp, getpid(), task->host_pid, KCMP_SYSVSEM, 0, 0) == 0;
}

int sysv_check_undo(struct dump *dump, struct error *err)
{
	int r = 0;

	for (size_t i = 0; dump->sysv_sets && i < dump->n_tasks && r == 0; i++) {
		const struct dump_task *task = &dump->tasks[i];

		if (task->state != DUMP_TASK_DEAD && !has_no_list(task))
			r = look_at(dump, task, err);
	}
	return r;
}
