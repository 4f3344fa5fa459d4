/*
 * eventfd: the 64-bit counter behind eventfd(2).
 *
 * Reading the descriptor would consume the counter, so the dump trusts fdinfo.
 * The images have no field for EFD_SEMAPHORE. It goes into a bit of the status
 * flags that F_SETFL ignores and no eventfd has: its access mode is O_RDWR, and
 * O_RDWR | EFD_SEMAPHORE is a mode that does not exist.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

int eventfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	EventfdFileEntry entry = EVENTFD_FILE_ENTRY__INIT;
	const char *count = scan_find_line(fd->fdinfo, "eventfd-count:");
	const char *semaphore = scan_find_line(fd->fdinfo, "eventfd-semaphore:");
	FileEntry file = FILE_ENTRY__INIT;
	uint64_t is_semaphore = 0;

	if (count)
		scan_blanks(&count);
	if (!count || !scan_u64(&count, 16, &entry.counter))
		return err_set(err, -EBADMSG, "%s: eventfd: its fdinfo tells no counter",
			       fd->look.where);
	if (entry.counter == UINT64_MAX)
		return err_set(err, -EOPNOTSUPP, "%s: eventfd: its counter has overflowed",
			       fd->look.where);
	/* Kernels before 6.5 don't tell. */
	if (semaphore) {
		scan_blanks(&semaphore);
		if (!scan_u64(&semaphore, 10, &is_semaphore))
			return err_set(err, -EBADMSG, "%s: eventfd: strange fdinfo",
				       fd->look.where);
	}
	entry.id = fd->id;
	entry.flags = fd->flags | (is_semaphore ? EFD_SEMAPHORE : 0);
	entry.fown = (FownEntry *)&fd->fown;
	file.type = FD_TYPES__EVENTFD;
	file.id = fd->id;
	file.efd = &entry;
	return image_write(&dump->files, &file.base, err);
}

int eventfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const EventfdFileEntry *e = file->entry->efd;
	uint32_t flags;
	uint32_t slot;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: eventfd %u has no record",
			       file->entry->id);
	flags = e->flags & (O_NONBLOCK | EFD_SEMAPHORE);
	/* The counter has 64 bits, the call's argument 32: begin at zero and add. */
	slot = tape_call(tape, SYS_eventfd2, TAPE_ARGS(tape_imm(0), tape_imm(flags)),
			 "making eventfd %u", e->id);
	if (e->counter)
		tape_call(tape, SYS_write,
			  TAPE_ARGS(tape_slot(slot),
				    tape_at(area_add(&r->area, &e->counter, sizeof(e->counter))),
				    tape_imm(sizeof(e->counter))),
			  "setting eventfd %u to %" PRIu64, e->id, e->counter);
	return rfile_stage(r, tape, file, slot, err);
}
