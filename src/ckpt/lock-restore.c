/*
 * lock-restore: locks on files, taken anew by the tasks that had them.
 *
 * Flocks and open-file-description locks belong to the description, POSIX locks
 * to the process, which loses them when it closes any descriptor of the file:
 * so all come after the last close. None is waited for: somebody else's lock
 * makes the restore fail.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/file-lock.pb-c.h"

/* file_lock_entry.flag */
enum lock_kind { LOCK_KIND_POSIX = 1, LOCK_KIND_FLOCK = 2, LOCK_KIND_OFD = 4 };

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

int locks_tape(struct restore *r, struct rtask *t, struct error *err)
{
	for (size_t i = 0; i < r->n_locks; i++) {
		const FileLockEntry *l = r->locks[i];
		int ret;

		if ((uint32_t)l->pid != t->pid)
			continue;
		if (l->flag & LOCK_KIND_FLOCK)
			ret = tape_flock(t, l, err);
		else if (l->flag & LOCK_KIND_POSIX)
			ret = tape_range(r, t, l, F_SETLK, err);
		else if (l->flag & LOCK_KIND_OFD)
			ret = tape_range(r, t, l, F_OFD_SETLK, err);
		else
			ret = err_set(err, -EOPNOTSUPP,
				      "task %u (%s): a lease on descriptor %d can't be rebuilt yet",
				      t->pid, rtask_comm(t), l->fd);
		if (ret < 0)
			return ret;
	}
	return 0;
}
