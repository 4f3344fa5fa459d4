/*
 * lock-restore: locks on files, taken anew by the tasks that had them.
 *
 * A process loses its POSIX locks when it closes any descriptor of the file:
 * so all come after the last close. None is waited for: somebody else's lock
 * makes the restore fail.
 *
 * A lease that its holder was asked to give up is asked for again: by an open
 * that does not wait. The holder has had its signal, or finds it pending; so
 * the description has no owner meanwhile.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/lock.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/file-lock.pb-c.h"

#define MANDATORY 32u /* flag in file_lock_entry.type */

int locks_load(struct restore *r, struct error *err)
{
	int ret = image_read_all(r->opts->images_dir, IMG_KIND_FILELOCKS, 0, &r->arena, &r->locks,
				 &r->n_locks, err);

	if (ret == -ENOENT)
		return 0;
	if (ret >= 0 && r->n_locks && !r->opts->file_locks) {
		err_set(err, -EINVAL, "task %d has a file locked with descriptor %d",
			r->locks[0]->pid, r->locks[0]->fd);
		err_hint(err, "--file-locks takes the locks again");
		return -EINVAL;
	}
	for (size_t i = 0; ret >= 0 && i < r->n_locks; i++)
		if (!restore_find_task(r, (uint32_t)r->locks[i]->pid))
			return err_set(err, -EBADMSG, "filelocks.img: no task %d",
				       r->locks[i]->pid);
	return ret < 0 ? ret : 0;
}

static int tape_flock(struct rtask *t, const FileLockEntry *l, struct error *err)
{
	int how = l->type == F_RDLCK ? LOCK_SH : LOCK_EX;

	if (l->type != F_RDLCK && l->type != F_WRLCK)
		return err_set(err, -EOPNOTSUPP, "task %u (%s): lock of type %u on descriptor %d",
			       t->pid, rtask_comm(t), l->type, l->fd);
	tape_call(t->become, SYS_flock,
		  TAPE_ARGS(tape_imm((uint64_t)l->fd), tape_imm((uint64_t)(how | LOCK_NB))),
		  "locking the file of descriptor %d", l->fd);
	return 0;
}

static int tape_range(struct restore *r, struct rtask *t, const FileLockEntry *l, int command,
		      struct error *err)
{
	struct flock lock = {
		.l_type = (short)l->type,
		.l_whence = SEEK_SET,
		.l_start = l->start,
		.l_len = l->len,
	};

	if (l->type & MANDATORY || (l->type != F_RDLCK && l->type != F_WRLCK))
		return err_set(err, -EOPNOTSUPP, "task %u (%s): lock of type %u on descriptor %d",
			       t->pid, rtask_comm(t), l->type, l->fd);
	tape_call(t->become, SYS_fcntl,
		  TAPE_ARGS(tape_imm((uint64_t)l->fd), tape_imm((uint64_t)command),
			    tape_at(area_add(&r->area, &lock, sizeof(lock)))),
		  "locking bytes %" PRId64 "+%" PRId64 " of the file of descriptor %d", l->start,
		  l->len, l->fd);
	return 0;
}

/* Its description, opened in a way that the lease is in the way of. */
static int tape_break(struct restore *r, struct rtask *t, const FileLockEntry *l, struct error *err)
{
	struct f_owner_ex nobody = { .type = F_OWNER_PID };
	uint32_t target = l->type & ~LOCK_LEASE_BREAKING;
	uint32_t entry;
	char path[32];
	int ret = fd_keep(t, r->proc_fd, err);

	if (ret < 0)
		return ret;
	(void)snprintf(path, sizeof(path), "self/fd/%d", l->fd); /* always fits */
	tape_call(t->become, SYS_fcntl,
		  TAPE_ARGS(tape_imm((uint64_t)l->fd), tape_imm(F_SETOWN_EX),
			    tape_at(area_add(&r->area, &nobody, sizeof(nobody)))),
		  "lease of descriptor %d", l->fd);
	entry = tape_call(
		t->become, SYS_openat,
		TAPE_ARGS(tape_imm((uint64_t)r->proc_fd), tape_at(area_add_string(&r->area, path)),
			  tape_imm((target == F_UNLCK ? O_WRONLY : O_RDONLY) | O_NONBLOCK)),
		"asking for the lease of descriptor %d again", l->fd);
	tape_expect(t->become, entry, PIE_RULE_EQUAL, -EWOULDBLOCK);
	fd_tape_owner(r, t, (uint32_t)l->fd);
	return 0;
}

static int tape_lease(struct restore *r, struct rtask *t, const FileLockEntry *l, struct error *err)
{
	const FdinfoEntry *fd = rtask_fd(t, (uint32_t)l->fd);
	const struct rfile *file = fd ? files_find(r, fd->id) : NULL;
	bool breaking = l->type & LOCK_LEASE_BREAKING;
	uint32_t type = l->type & ~LOCK_LEASE_BREAKING;

	if (!file || !file->entry->reg || type > F_UNLCK || (!breaking && type == F_UNLCK) ||
	    (breaking && type == F_WRLCK))
		return err_set(err, -EBADMSG, "filelocks.img: lease of type %u on descriptor %d",
			       l->type, l->fd);
	/* What a breaking one was before is not in the images; a read lease needs a file that
	 * is not open for writing. */
	if (breaking)
		type = type == F_UNLCK && (file->entry->reg->flags & O_ACCMODE) == O_RDONLY
			       ? F_RDLCK
			       : F_WRLCK;
	tape_call(t->become, SYS_fcntl,
		  TAPE_ARGS(tape_imm((uint64_t)l->fd), tape_imm(F_SETLEASE), tape_imm(type)),
		  "lease of the file of descriptor %d", l->fd);
	/* It has made the task the owner where there was none. */
	if (file->entry->reg->fown && !file->entry->reg->fown->pid && !breaking) {
		struct f_owner_ex nobody = { .type = F_OWNER_PID };

		tape_call(t->become, SYS_fcntl,
			  TAPE_ARGS(tape_imm((uint64_t)l->fd), tape_imm(F_SETOWN_EX),
				    tape_at(area_add(&r->area, &nobody, sizeof(nobody)))),
			  "lease of descriptor %d", l->fd);
	}
	return breaking ? tape_break(r, t, l, err) : 0;
}

int leases_tape(struct restore *r, struct rtask *t, struct error *err)
{
	for (size_t i = 0; i < r->n_locks; i++) {
		const FileLockEntry *l = r->locks[i];
		int ret = 0;

		if ((uint32_t)l->pid == t->pid && l->flag & LOCK_KIND_LEASE)
			ret = tape_lease(r, t, l, err);
		if (ret < 0)
			return err_wrap(err, ret, "task %u (%s)", t->pid, rtask_comm(t));
	}
	return 0;
}

int locks_tape(struct restore *r, struct rtask *t, struct error *err)
{
	for (size_t i = 0; i < r->n_locks; i++) {
		const FileLockEntry *l = r->locks[i];
		int ret = 0;

		if ((uint32_t)l->pid != t->pid || l->flag & LOCK_KIND_LEASE)
			continue;
		if (l->flag & LOCK_KIND_FLOCK)
			ret = tape_flock(t, l, err);
		else if (l->flag & LOCK_KIND_POSIX)
			ret = tape_range(r, t, l, F_SETLK, err);
		else if (l->flag & LOCK_KIND_OFD)
			ret = tape_range(r, t, l, F_OFD_SETLK, err);
		else
			ret = err_set(err, -EBADMSG,
				      "task %u (%s): lock of kind %u on descriptor %d", t->pid,
				      rtask_comm(t), l->flag, l->fd);
		if (ret < 0)
			return ret;
	}
	return 0;
}
