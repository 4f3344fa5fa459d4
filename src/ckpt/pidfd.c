/*
 * pidfd: the process that a descriptor stands for; opened by born-restore.c.
 *
 * A process that is gone is stood in for by a child that ends at once. Those
 * that stood for the same one do so again. How it ended (PIDFD_GET_INFO) has no
 * place in the images.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#define FLAGS (O_NONBLOCK | O_EXCL) /* PIDFD_NONBLOCK, PIDFD_THREAD */

/* -1: gone and reaped. */
int pidfd_target(const char *fdinfo, pid_t *ret_pid)
{
	const char *p = scan_find_line(fdinfo, "Pid:");

	if (!p)
		return -EBADMSG;
	scan_blanks(&p);
	return scan_int(&p, ret_pid) ? 0 : -EBADMSG;
}

int pidfd_refuse(const char *where, pid_t target, struct error *err)
{
	int r = err_set(err, -EOPNOTSUPP,
			"%s: pidfd: it stands for process %d, which is not in the tree", where,
			target);

	err_hint(err, "close the descriptor before the checkpoint");
	return r;
}

int pidfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	PidfdEntry entry = PIDFD_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	struct dump_task *task = NULL;
	pid_t target;

	if (pidfd_target(fd->fdinfo, &target) < 0)
		return err_set(err, -EBADMSG, "%s: pidfd: its fdinfo tells no process",
			       fd->look.where);
	if (target != -1) {
		task = dump_task_find(dump, target);
		if (!task && fd->flags & O_EXCL)
			return err_set(err, -EOPNOTSUPP,
				       "%s: pidfd: it stands for thread %d: this version can't "
				       "save that",
				       fd->look.where, target);
		if (!task)
			return pidfd_refuse(fd->look.where, target, err);
	}
	entry.id = fd->id;
	entry.ino = (uint32_t)fd->look.st.st_ino;
	entry.flags = fd->flags & FLAGS;
	entry.nspid = task ? task->ns_pid : -1;
	entry.fown = (FownEntry *)&fd->fown;
	file.type = FD_TYPES__PIDFD;
	file.id = fd->id;
	file.pidfd = &entry;
	return image_write(&dump->files, &file.base, err);
}

/* --------------------------------------------------------------------- restore */

static bool is_same_dead(const FileEntry *e, uint32_t ino)
{
	return e->type == FD_TYPES__PIDFD && e->pidfd && e->pidfd->nspid == -1 &&
	       e->pidfd->ino == ino;
}

/* R's tape: all that stand for one process that is gone. */
static int tape_dead(struct restore *r, struct tape *tape, const PidfdEntry *dead,
		     struct error *err)
{
	struct clone_args args = { .exit_signal = 0 };
	struct tape *child = area_add_tape(&r->area, r->root->pid, "gone");
	uint32_t pid;

	if (!child)
		return err_oom(err);
	tape_call(child, SYS_exit_group, TAPE_ARGS(tape_imm(0)), "ending at once");
	pid = tape_fork(tape, area_add(&r->area, &args, sizeof(args)), child,
			"making a process that is gone");
	for (size_t i = 0; i < r->n_files; i++) {
		struct rfile *file = &r->files[i];
		uint32_t slot;
		int ret;

		if (!is_same_dead(file->entry, dead->ino))
			continue;
		file->planned = true;
		slot = tape_call(
			tape, SYS_pidfd_open,
			TAPE_ARGS(tape_slot(pid), tape_imm(file->entry->pidfd->flags & FLAGS)),
			"pidfd %u of a process that is gone", file->entry->id);
		ret = rfile_stage(r, tape, file, slot, err);
		if (ret < 0)
			return ret;
	}
	tape_call(tape, SYS_wait4, TAPE_ARGS(tape_slot(pid), tape_imm(0), tape_imm(__WALL)),
		  "waiting for a process that is gone");
	return 0;
}

int pidfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const PidfdEntry *e = file->entry->pidfd;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: pidfd %u has no record", file->entry->id);
	if (e->nspid == -1)
		return tape_dead(r, tape, e, err);
	if (!restore_find_task(r, (uint32_t)e->nspid))
		return err_set(err, -EBADMSG,
			       "files.img: pidfd %u stands for process %d, which "
			       "is not in the images",
			       e->id, e->nspid);
	born_stage(r, file);
	return 0;
}
