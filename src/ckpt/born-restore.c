/*
 * born: descriptors that can only be opened when all tasks exist: pidfds, and
 * files of /proc of other tasks.
 *
 * By then their holders have been forked already. So all put something else in
 * their place at first; the first of them opens it late, and the others take
 * theirs from him.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"

#define PIDFD_FLAGS (O_NONBLOCK | O_EXCL) /* PIDFD_NONBLOCK, PIDFD_THREAD */
#define OPEN_ONCE_FLAGS (O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)

bool born_is_late(const struct restore *r, const struct rfile *file)
{
	const char *path = file->entry->reg ? file->entry->reg->name : "";
	uint32_t pid;

	if (file->entry->type == FD_TYPES__PIDFD)
		return file->entry->pidfd && file->entry->pidfd->nspid != -1;
	return file->entry->type == FD_TYPES__REG && !file->procfs_pid &&
	       scan_literal(&path, "/proc/") && scan_u32(&path, 10, &pid) &&
	       (!*path || *path == '/') && pid != r->root->pid && restore_find_task(r, pid);
}

void born_stage(struct restore *r, struct rfile *file)
{
	r->pidfds = true;
	file->staging = r->proc_fd; /* until it is opened */
}

static void tape_place(struct rtask *t, uint32_t slot, const FdinfoEntry *fd)
{
	uint32_t entry = tape_call(t->become, SYS_dup3,
				   TAPE_ARGS(tape_slot(slot), tape_imm(fd->fd),
					     tape_imm(fd->flags & FD_CLOEXEC ? O_CLOEXEC : 0)),
				   "placing descriptor %u", fd->fd);

	tape_expect(t->become, entry, PIE_RULE_EQUAL, fd->fd);
}

/* All numbers the task has it under. */
static void tape_place_all(struct rtask *t, uint32_t slot, const struct rfile *file)
{
	for (size_t i = 0; i < t->n_fds; i++)
		if (t->fds[i]->id == file->entry->id)
			tape_place(t, slot, t->fds[i]);
	tape_call(t->become, SYS_close, TAPE_ARGS(tape_slot(slot)), "file %u is placed",
		  file->entry->id);
}

static uint32_t tape_open_pidfd(struct rtask *t, const PidfdEntry *e)
{
	return tape_call(t->become, SYS_pidfd_open,
			 TAPE_ARGS(tape_imm((uint64_t)e->nspid), tape_imm(e->flags & PIDFD_FLAGS)),
			 "pidfd %u of process %d", e->id, e->nspid);
}

static uint32_t tape_open_file(struct restore *r, struct rtask *t, const RegFileEntry *reg)
{
	uint32_t slot =
		tape_call(t->become, SYS_openat,
			  TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD),
				    tape_at(area_add_string(&r->area, reg->name)),
				    tape_imm((reg->flags & ~(uint32_t)OPEN_ONCE_FLAGS) | O_NOCTTY)),
			  "open '%s'", reg->name);

	if (reg->pos && !(reg->flags & O_PATH))
		tape_call(t->become, SYS_lseek,
			  TAPE_ARGS(tape_slot(slot), tape_imm(reg->pos), tape_imm(SEEK_SET)),
			  "position %" PRIu64 " of '%s'", reg->pos, reg->name);
	return slot;
}

static void tape_open(struct restore *r, struct rtask *t, struct rfile *file, uint32_t number)
{
	uint32_t slot;

	tape_barrier(t->become, r->words.born, (uint32_t)r->n_tasks,
		     "waiting until all tasks exist");
	slot = file->entry->pidfd ? tape_open_pidfd(t, file->entry->pidfd)
				  : tape_open_file(r, t, file->entry->reg);
	tape_place_all(t, slot, file);
	file->opened_by = t;
	file->opened_as = number;
	file->opened = area_add_word(&r->area);
	tape_post(t->become, file->opened, "a file of a task is open");
}

/* Opened by another task: the same description. */
static void tape_take(struct rtask *t, const struct rfile *file)
{
	uint32_t holder, slot;

	tape_barrier(t->become, file->opened, 1, "waiting for a file to be open");
	holder = tape_call(t->become, SYS_pidfd_open, TAPE_ARGS(tape_imm(file->opened_by->pid)),
			   "taking file %u from task %u", file->entry->id, file->opened_by->pid);
	slot = tape_call(t->become, SYS_pidfd_getfd,
			 TAPE_ARGS(tape_slot(holder), tape_imm(file->opened_as)),
			 "taking file %u from task %u", file->entry->id, file->opened_by->pid);
	tape_call(t->become, SYS_close, TAPE_ARGS(tape_slot(holder)), "taking file %u from task %u",
		  file->entry->id, file->opened_by->pid);
	tape_place_all(t, slot, file);
}

void born_tape_late(struct restore *r, struct rtask *t)
{
	for (size_t i = 0; i < t->n_fds; i++) {
		struct rfile *file = files_find(r, t->fds[i]->id);

		if (!file || !born_is_late(r, file) || file->placed_by == t)
			continue;
		if (!file->opened_by)
			tape_open(r, t, file, t->fds[i]->fd);
		else
			tape_take(t, file);
		file->placed_by = t;
	}
}

/* A process that lives until the word at *ret_word is posted; born_tape_gone() sees it off. */
int born_tape_stand_in(struct restore *r, struct tape *tape, uint32_t pid, uint32_t *ret_entry,
		       uint64_t *ret_word, struct error *err)
{
	struct clone_args args = { .exit_signal = 0 };
	struct tape *child = area_add_tape(&r->area, pid, "stand-in");
	int32_t tid = (int32_t)pid;

	if (!child)
		return err_oom(err);
	*ret_word = area_add_word(&r->area);
	tape_call(child, SYS_prctl, TAPE_ARGS(tape_imm(PR_SET_PDEATHSIG), tape_imm(SIGKILL)),
		  "not to outlive its maker");
	tape_barrier(child, *ret_word, 1, "standing in for a process that is gone");
	tape_call(child, SYS_exit_group, TAPE_ARGS(tape_imm(0)), "ending");
	args.set_tid = area_add(&r->area, &tid, sizeof(tid));
	args.set_tid_size = 1;
	*ret_entry = tape_fork(tape, area_add(&r->area, &args, sizeof(args)), child,
			       "making process %u, which is gone", pid);
	return 0;
}

void born_tape_gone(struct tape *tape, uint32_t entry, uint64_t word)
{
	tape_post(tape, word, "it is not needed any more");
	tape_call(tape, SYS_wait4, TAPE_ARGS(tape_slot(entry), tape_imm(0), tape_imm(__WALL)),
		  "waiting for a process that is gone");
}
