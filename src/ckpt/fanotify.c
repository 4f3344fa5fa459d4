/*
 * fanotify: a group with its marks on files and mounts.
 *
 * Marks on a whole file system and groups that are asked for permission are
 * refused: the images can't tell the former, and with the latter every open(2)
 * of ours would wait for a listener that is frozen, or not made yet.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-restore.h"
#include "ckpt/mnt.h"
#include "ckpt/restore-priv.h"
#include "ckpt/watched.h"
#include "ckpt/watches-restore.h"
#include "img/image.h"

#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x400
#endif
#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x40000
#endif
#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x100000
#endif

#define LINE "fanotify "
#define ASKS (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM | FAN_PRE_ACCESS)

struct mark {
	FanotifyMarkEntry entry;
	FanotifyInodeMarkEntry inode;
	FanotifyMountMarkEntry mount;
	FhEntry handle;
};

static bool is_line(const char *line)
{
	return !strncmp(line, LINE, strlen(LINE));
}

/* "fanotify flags:4 event-flags:8002" comes first, then the marks. */
static bool is_group(const char *line)
{
	return is_line(line) && !strncmp(line + strlen(LINE), "flags:", 6);
}

int fanotify_check_marks(const char *where, const char *fdinfo, struct error *err)
{
	for (const char *p = fdinfo; *p; p = scan_next_line(p)) {
		const char *rest = p + strlen(LINE);
		uint64_t mask = 0, ignored = 0;
		int r;

		if (!is_line(p) || is_group(p))
			continue;
		if (strncmp(rest, "ino:", 4) && strncmp(rest, "mnt_id:", 7)) {
			r = err_set(err, -EOPNOTSUPP,
				    "%s: fanotify: a mark on a whole file system or mount "
				    "namespace ('%.*s') can't be saved",
				    where, (int)strcspn(rest, "\n"), rest);
			err_hint(err, "let the program mark the mount instead (FAN_MARK_MOUNT)");
			return r;
		}
		(void)watched_number(p, " mask:", &mask);
		(void)watched_number(p, " ignored_mask:", &ignored);
		if ((mask | ignored) & ASKS) {
			r = err_set(
				err, -EOPNOTSUPP,
				"%s: fanotify: the program is asked for permission to open files",
				where);
			err_hint(err, "while it is frozen nobody could open them; let it remove "
				      "the mark");
			return r;
		}
	}
	return 0;
}

static int read_inode(struct dump *dump, const struct dump_fd *fd, const char *line,
		      struct mark *mark, struct error *err)
{
	struct watched watched;

	if (!watched_parse(line, &watched))
		return err_set(err, -EBADMSG, "%s: fanotify: strange fdinfo '%.*s'", fd->look.where,
			       (int)strcspn(line, "\n"), line);
	fanotify_inode_mark_entry__init(&mark->inode);
	fh_entry__init(&mark->handle);
	mark->entry.type = MARK_TYPE__INODE;
	mark->entry.s_dev = watched.sdev;
	mark->entry.ie = &mark->inode;
	mark->inode.i_ino = watched.ino;
	mark->inode.f_handle = &mark->handle;
	return watched_save(dump, fd->look.where, &watched, &mark->handle, err);
}

static int read_mount(struct dump *dump, const struct dump_fd *fd, uint64_t id, struct mark *mark,
		      struct error *err)
{
	const struct mountinfo *mount = mountinfo_by_id(&dump->mnts[0].table, (int)id);

	if (!mount)
		return err_set(err, -EOPNOTSUPP,
			       "%s: fanotify: it watches mount %" PRIu64
			       ", which is not one of the tree's",
			       fd->look.where, id);
	fanotify_mount_mark_entry__init(&mark->mount);
	mark->entry.type = MARK_TYPE__MOUNT;
	mark->entry.s_dev = mount->dev_major << 20 | mount->dev_minor;
	mark->entry.me = &mark->mount;
	mark->mount.mnt_id = (uint32_t)id;
	mark->mount.path = (char *)mount->mountpoint;
	return 0;
}

static int read_mark(struct dump *dump, const struct dump_fd *fd, const char *line,
		     struct mark *mark, struct error *err)
{
	uint64_t flags = 0, mask = 0, ignored = 0, id = 0;

	fanotify_mark_entry__init(&mark->entry);
	if (!watched_number(line, " mflags:", &flags) || !watched_number(line, " mask:", &mask) ||
	    !watched_number(line, " ignored_mask:", &ignored))
		return err_set(err, -EBADMSG, "%s: fanotify: strange fdinfo '%.*s'", fd->look.where,
			       (int)strcspn(line, "\n"), line);
	mark->entry.id = fd->id;
	mark->entry.mflags = (uint32_t)flags;
	mark->entry.mask = (uint32_t)mask;
	mark->entry.ignored_mask = (uint32_t)ignored;
	return watched_number(line, LINE "mnt_id:", &id) ? read_mount(dump, fd, id, mark, err)
							 : read_inode(dump, fd, line, mark, err);
}

static int write_group(struct dump *dump, const struct dump_fd *fd, FanotifyFileEntry *entry,
		       struct error *err)
{
	const char *line = scan_find_line(fd->fdinfo, LINE "flags:");
	FileEntry file = FILE_ENTRY__INIT;
	uint64_t events;

	if (!line || !scan_u32(&line, 16, &entry->faflags) ||
	    !watched_number(line, " event-flags:", &events))
		return err_set(err, -EBADMSG, "%s: fanotify: its fdinfo tells no flags",
			       fd->look.where);
	entry->evflags = (uint32_t)events;
	entry->id = fd->id;
	entry->flags = fd->flags;
	entry->fown = (FownEntry *)&fd->fown;
	file.type = FD_TYPES__FANOTIFY;
	file.id = fd->id;
	file.ffy = entry;
	return image_write(&dump->files, &file.base, err);
}

int fanotify_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	FanotifyFileEntry entry = FANOTIFY_FILE_ENTRY__INIT;
	cleanup_free FanotifyMarkEntry **list = NULL;
	cleanup_free struct mark *marks = NULL;
	int unread = 0;
	size_t n = 0;
	int r = fanotify_check_marks(fd->look.where, fd->fdinfo, err);

	if (r < 0)
		return r;
	for (const char *p = fd->fdinfo; *p; p = scan_next_line(p))
		n += is_line(p) && !is_group(p);
	marks = calloc(n + 1, sizeof(*marks));
	list = calloc(n + 1, sizeof(*list));
	if (!marks || !list)
		return err_oom(err);
	for (const char *p = fd->fdinfo; *p && r == 0; p = scan_next_line(p)) {
		if (!is_line(p) || is_group(p))
			continue;
		r = read_mark(dump, fd, p, &marks[entry.n_mark], err);
		list[entry.n_mark] = &marks[entry.n_mark].entry;
		entry.n_mark++;
	}
	if (r < 0)
		return r;
	entry.mark = list;
	if (ioctl(fd->fd, FIONREAD, &unread) == 0 && unread)
		log_warn("%s: fanotify: %d bytes of events that were not read yet will be missing "
			 "after a restore",
			 fd->look.where, unread);
	return write_group(dump, fd, &entry, err);
}

/* --------------------------------------------------------------------- restore */

int fanotify_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const FanotifyFileEntry *e = file->entry->ffy;
	uint32_t flags;
	uint32_t slot;

	if (!e)
		return err_set(err, -EBADMSG, "files.img: fanotify %u has no record",
			       file->entry->id);
	flags = (e->faflags & ~(uint32_t)(FAN_CLOEXEC | FAN_NONBLOCK)) |
		(e->flags & O_NONBLOCK ? FAN_NONBLOCK : 0);
	slot = tape_call(tape, SYS_fanotify_init, TAPE_ARGS(tape_imm(flags), tape_imm(e->evflags)),
			 "making fanotify %u", e->id);
	return watches_stage(r, tape, file, slot, e->flags, err);
}

static void tape_mark(struct tape *tape, const struct rfile *file, uint32_t flags, uint32_t mask,
		      uint64_t link, const char *name)
{
	if (mask)
		tape_call(tape, SYS_fanotify_mark,
			  TAPE_ARGS(tape_imm((uint64_t)file->staging),
				    tape_imm(FAN_MARK_ADD | flags), tape_imm(mask),
				    tape_imm((uint64_t)AT_FDCWD), tape_at(link)),
			  "fanotify %u: watching '%s'", file->entry->ffy->id, name);
}

static int tape_one(struct restore *r, struct tape *tape, const struct rfile *file,
		    const FanotifyMarkEntry *mark, struct error *err)
{
	const char *name = "";
	uint32_t flags = 0;
	uint64_t link = 0;
	int ret = 0;

	if (mark->type == MARK_TYPE__INODE && mark->ie) {
		ret = watches_target(r, tape, mark->s_dev, mark->ie->i_ino, mark->ie->f_handle,
				     &link, err);
		name = watches_name(mark->ie->f_handle);
	} else if (mark->type == MARK_TYPE__MOUNT && mark->me && mark->me->path) {
		name = mark->me->path;
		flags = FAN_MARK_MOUNT;
		watches_path(r, tape, name, &link);
	} else {
		ret = err_set(err, -EOPNOTSUPP, "a mark that the images do not tell the place of");
	}
	if (ret < 0)
		return err_wrap(err, ret, "fanotify %u", file->entry->ffy->id);
	/* The newer way to ignore says so in its flags. */
	flags |= mark->mflags;
	tape_mark(tape, file, flags & ~(uint32_t)FAN_MARK_IGNORE, mark->mask, link, name);
	if (!(flags & FAN_MARK_IGNORE))
		flags |= FAN_MARK_IGNORED_MASK;
	tape_mark(tape, file, flags, mark->ignored_mask, link, name);
	return 0;
}

int fanotify_tape_watches(struct restore *r, struct tape *tape, const struct rfile *file,
			  struct error *err)
{
	const FanotifyFileEntry *e = file->entry->ffy;
	int ret = 0;

	for (size_t i = 0; i < e->n_mark && ret >= 0; i++)
		ret = tape_one(r, tape, file, e->mark[i], err);
	return ret;
}
