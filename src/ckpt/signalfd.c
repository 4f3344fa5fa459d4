/*
 * signalfd: a set of signals. What is pending belongs to the tasks, not to it.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

int signalfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	SignalfdEntry entry = SIGNALFD_ENTRY__INIT;
	const char *mask = scan_find_line(fd->fdinfo, "sigmask:\t");
	FileEntry file = FILE_ENTRY__INIT;

	if (!mask || !scan_u64(&mask, 16, &entry.sigmask))
		return err_set(err, -EBADMSG, "%s: signalfd: its fdinfo tells no mask",
			       fd->look.where);
	entry.id = fd->id;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	file.type = FD_TYPES__SIGNALFD;
	file.id = fd->id;
	file.sgfd = &entry;
	return image_write(&dump->files, &file.base, err);
}

int signalfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const SignalfdEntry *e = file->entry->sgfd;
	uint32_t slot;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: signalfd %u has no record",
			       file->entry->id);
	slot = tape_call(tape, SYS_signalfd4,
			 TAPE_ARGS(tape_imm(UINT64_MAX),
				   tape_at(area_add(&r->area, &e->sigmask, sizeof(e->sigmask))),
				   tape_imm(sizeof(e->sigmask)), tape_imm(e->flags & O_NONBLOCK)),
			 "making signalfd %u", e->id);
	return rfile_stage(r, tape, file, slot, err);
}
