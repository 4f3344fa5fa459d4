/*
 * inotify: what an instance watches, under which numbers.
 *
 * Events that nobody has read yet are lost: reading them would take them from a
 * target that lives on, and nothing puts them back into a queue. The log says
 * so. An instance is restored without what restoring itself does to the files:
 * watches-restore.c.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/watched.h"
#include "ckpt/watches-restore.h"
#include "img/image.h"

#ifndef INOTIFY_IOC_SETNEXTWD
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)
#endif

#define LINE "inotify "
#define MASK_KEPT (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)

struct watch {
	InotifyWdEntry entry;
	FhEntry handle;
};

static int read_watch(struct dump *dump, const struct dump_fd *fd, const char *line,
		      struct watch *watch, struct error *err)
{
	struct watched watched;
	uint64_t wd = 0, mask = 0, ignored = 0;

	inotify_wd_entry__init(&watch->entry);
	fh_entry__init(&watch->handle);
	if (!watched_number(line, "wd:", &wd) || !watched_number(line, " mask:", &mask) ||
	    !watched_number(line, " ignored_mask:", &ignored) || !watched_parse(line, &watched))
		return err_set(err, -EBADMSG, "%s: inotify: strange fdinfo '%.*s'", fd->look.where,
			       (int)strcspn(line, "\n"), line);
	watch->entry.id = fd->id;
	watch->entry.i_ino = watched.ino;
	watch->entry.s_dev = watched.sdev;
	watch->entry.mask = (uint32_t)mask;
	watch->entry.ignored_mask = (uint32_t)ignored;
	watch->entry.wd = (uint32_t)wd;
	watch->entry.f_handle = &watch->handle;
	return watched_save(dump, fd->look.where, &watched, &watch->handle, err);
}

static size_t count_lines(const char *text, const char *key)
{
	size_t n = 0;

	for (; *text; text = scan_next_line(text))
		n += !strncmp(text, key, strlen(key));
	return n;
}

int inotify_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	InotifyFileEntry entry = INOTIFY_FILE_ENTRY__INIT;
	size_t n = count_lines(fd->fdinfo, LINE);
	cleanup_free struct watch *watches = calloc(n + 1, sizeof(*watches));
	cleanup_free InotifyWdEntry **list = calloc(n + 1, sizeof(*list));
	FileEntry file = FILE_ENTRY__INIT;
	int unread = 0;
	int r = 0;

	if (!watches || !list)
		return err_oom(err);
	for (const char *p = fd->fdinfo; *p && r == 0; p = scan_next_line(p)) {
		if (strncmp(p, LINE, strlen(LINE)) != 0)
			continue;
		r = read_watch(dump, fd, p, &watches[entry.n_wd], err);
		list[entry.n_wd] = &watches[entry.n_wd].entry;
		entry.n_wd++;
	}
	if (r < 0)
		return r;
	if (ioctl(fd->fd, FIONREAD, &unread) == 0 && unread)
		log_warn("%s: inotify: %d bytes of events that were not read yet will be missing "
			 "after a restore",
			 fd->look.where, unread);
	entry.id = fd->id;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	entry.wd = list;
	file.type = FD_TYPES__INOTIFY;
	file.id = fd->id;
	file.ify = &entry;
	return image_write(&dump->files, &file.base, err);
}

/* --------------------------------------------------------------------- restore */

int inotify_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const InotifyFileEntry *e = file->entry->ify;
	uint32_t slot;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: inotify %u has no record",
			       file->entry->id);
	slot = tape_call(tape, SYS_inotify_init1, TAPE_ARGS(tape_imm(e->flags & O_NONBLOCK)),
			 "making inotify %u", e->id);
	return watches_stage(r, tape, file, slot, e->flags, err);
}

static int by_wd(const void *a, const void *b)
{
	uint32_t x = (*(InotifyWdEntry *const *)a)->wd;
	uint32_t y = (*(InotifyWdEntry *const *)b)->wd;

	return x < y ? -1 : x > y;
}

/* Ascending, so that the next number will be a new one. */
int inotify_tape_watches(struct restore *r, struct tape *tape, const struct rfile *file,
			 struct error *err)
{
	const InotifyFileEntry *e = file->entry->ify;

	if (e->n_wd)
		qsort(e->wd, e->n_wd, sizeof(*e->wd), by_wd);
	for (size_t i = 0; i < e->n_wd; i++) {
		const InotifyWdEntry *w = e->wd[i];
		uint64_t link;
		uint32_t entry;
		int ret = watches_target(r, tape, w->s_dev, w->i_ino, w->f_handle, &link, err);

		if (ret < 0)
			return err_wrap(err, ret, "inotify %u: watch %u", e->id, w->wd);
		tape_call(tape, SYS_ioctl,
			  TAPE_ARGS(tape_imm((uint64_t)file->staging),
				    tape_imm(INOTIFY_IOC_SETNEXTWD), tape_imm(w->wd)),
			  "inotify %u: number %u", e->id, w->wd);
		entry = tape_call(tape, SYS_inotify_add_watch,
				  TAPE_ARGS(tape_imm((uint64_t)file->staging), tape_at(link),
					    tape_imm(w->mask & MASK_KEPT)),
				  "inotify %u: watching '%s'", e->id, watches_name(w->f_handle));
		tape_expect(tape, entry, PIE_RULE_EQUAL, w->wd);
	}
	return 0;
}
