/*
 * fds: the descriptor tables, and the files a task holds without descriptor.
 *
 * A description is opened here once through pidfd_getfd(2), which shares it:
 * nothing is reopened, no position moves. Its number in the images comes from
 * file-ids; only a new one is handed to its kind.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-ids.h"
#include "ckpt/lock.h"
#include "ckpt/memfd.h"
#include "ckpt/track.h"
#include "ckpt/userns.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/fs.pb-c.h"

#define FDINFO_MAX ((size_t)16 << 20) /* epoll and inotify list all they watch */

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

static int look_at(int fd, const char *link_path, int link_dir, struct arena *arena,
		   struct fd_look *look, struct error *err)
{
	char link[PATH_MAX];
	struct statfs fs;
	ssize_t n;

	if (fstat(fd, &look->st) < 0)
		return err_sys(err, "%s: stat", look->where);
	if (fstatfs(fd, &fs) < 0)
		return err_sys(err, "%s: statfs", look->where);
	look->fs_type = fs.f_type;
	n = readlinkat(link_dir, link_path, link, sizeof(link));
	if (n < 0)
		return err_sys(err, "%s: read link", look->where);
	if ((size_t)n == sizeof(link))
		return err_set(err, -ENAMETOOLONG, "%s: its path", look->where);
	look->link = arena_strndup(arena, link, (size_t)n);
	if (!look->link)
		return err_oom(err);
	/* A file that is only looked at (O_PATH) has no socket behind it. */
	return S_ISSOCK(look->st.st_mode) && look->fs_type == SOCKFS_MAGIC
		       ? fd_look_socket(fd, look, err)
		       : 0;
}

/* Owner of the description's signals (F_SETOWN), as the tree sees that process. */
static int look_owner(struct dump *dump, struct dump_fd *fd, struct error *err)
{
	struct f_owner_ex owner = { .pid = 0 };
	uid_t uids[2] = { 0, 0 };
	struct dump_task *task;
	int signum;

	fown_entry__init(&fd->fown);
	if (fd->flags & O_PATH)
		return 0;
	signum = fcntl(fd->fd, F_GETSIG, 0);
	if (signum < 0)
		return err_sys(err, "%s: signal of the descriptor", fd->look.where);
	fd->fown.signum = (uint32_t)signum;
	if (fcntl(fd->fd, F_GETOWN_EX, &owner) < 0)
		return err_sys(err, "%s: owner of the descriptor", fd->look.where);
	if (!owner.pid)
		return 0;
	if (fcntl(fd->fd, F_GETOWNER_UIDS, uids) < 0)
		return err_sys(err, "%s: owner of the descriptor", fd->look.where);
	task = dump_task_find(dump, owner.pid);
	if (!task && dump->ns[DUMP_NS_PID].other)
		return err_set(err, -EOPNOTSUPP,
			       "%s: its signals go to process %d, which is not in the tree",
			       fd->look.where, owner.pid);
	fd->fown.pid = (uint32_t)(task ? task->ns_pid : owner.pid);
	fd->fown.pid_type = (uint32_t)owner.type;
	fd->fown.uid = userns_uid(dump, uids[0]);
	fd->fown.euid = userns_uid(dump, uids[1]);
	return 0;
}

static int look_fdinfo(struct dump *dump, int dir, const char *name, struct dump_fd *fd,
		       bool *ret_cloexec, struct error *err)
{
	cleanup_free char *text = NULL;
	struct proc_fdinfo info;
	size_t len;
	int r;

	r = file_read_record_at(dir, name, FDINFO_MAX, &text, &len, err);
	if (r < 0)
		return r;
	r = proc_fdinfo_parse(text, len, &info, err);
	if (r < 0)
		return err_wrap(err, r, "%s", fd->look.where);
	fd->pos = info.pos;
	fd->flags = info.flags & ~(uint32_t)O_CLOEXEC;
	fd->mnt_id = info.mnt_id;
	*ret_cloexec = info.flags & O_CLOEXEC;
	fd->fdinfo = arena_strdup(&dump->arena, info.rest ? info.rest : "");
	return fd->fdinfo ? 0 : err_oom(err);
}

static void set_cloexec(FdinfoEntry *entry, int own, bool cloexec, bool *ret_unclear)
{
	int flags = cloexec ? fcntl(own, F_GETFL) : 0;

	entry->flags = cloexec ? FD_CLOEXEC : 0;
	*ret_unclear = flags > 0 && (flags & O_CLOEXEC); /* the description's own: see below */
}

/* 1: it is ours, and no part of the task. */
static int dump_one(struct dump *dump, struct dump_task *task, int number, FdinfoEntry *entry,
		    bool *ret_unclear, struct error *err)
{
	struct dump_fd fd = { .task = task, .number = number };
	const struct fd_kind *kind;
	cleanup_fd int own = -EBADF;
	bool cloexec = false;
	char name[32];
	int r;

	fd.look.where = arena_printf(&dump->arena, "task %d: fd %d", task->host_pid, number);
	if (!fd.look.where)
		return err_oom(err);
	own = (int)syscall(SYS_pidfd_getfd, task->pidfd, number, 0);
	if (own < 0)
		return err_sys(err, "%s: take a copy", fd.look.where);
	fd.fd = own;
	(void)snprintf(name, sizeof(name), "fd/%d", number); /* always fits */
	r = look_at(own, name, task->proc, &dump->arena, &fd.look, err);
	if (r < 0)
		return r;
	if (track_is_ours(own, fd.look.link))
		return 1;
	r = file_ids_get(dump->file_ids, task->host_pid, number, &fd.look.st, &fd.id, err);
	if (r < 0)
		return err_wrap(err, r, "%s", fd.look.where);
	kind = fd_kind_of(&fd.look);
	entry->id = fd.id;
	entry->type = kind->type;
	entry->fd = (uint32_t)number;

	(void)snprintf(name, sizeof(name), "fdinfo/%d", number); /* always fits */
	if (r == 0) {
		r = look_fdinfo(dump, task->proc, name, &fd, &cloexec, err);
		set_cloexec(entry, own, cloexec, ret_unclear);
		return r < 0 ? r : lock_dump(dump, &fd, false, err);
	}
	r = fd_kind_check(dump->opts, &fd.look, err);
	if (r < 0)
		return r;
	r = look_fdinfo(dump, task->proc, name, &fd, &cloexec, err);
	if (r < 0)
		return r;
	set_cloexec(entry, own, cloexec, ret_unclear);
	r = lock_dump(dump, &fd, true, err);
	if (r < 0)
		return r;
	r = look_owner(dump, &fd, err);
	if (r < 0)
		return r;
	return kind->dump(dump, &fd, err);
}

int dump_passed_fd(struct dump *dump, const struct dump_task *task, int own, uint32_t id,
		   const char *where, struct error *err)
{
	struct dump_fd fd = { .task = task, .number = -1, .fd = own, .id = id };
	const struct fd_kind *kind;
	bool cloexec;
	char path[32];
	int r;

	fd.look.where = where;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", own); /* always fits */
	r = look_at(own, path, AT_FDCWD, &dump->arena, &fd.look, err);
	if (r == 0)
		r = fd_kind_check(dump->opts, &fd.look, err);
	if (r < 0)
		return r;
	kind = fd_kind_of(&fd.look);
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", own); /* always fits */
	r = look_fdinfo(dump, AT_FDCWD, path, &fd, &cloexec, err);
	if (r < 0)
		return r;
	if (!kind->passes || scan_find_line(fd.fdinfo, "lock:")) {
		r = err_set(err, -EOPNOTSUPP, "%s: %s '%s'%s: no process has it open", where,
			    kind->name, fd.look.link, kind->passes ? " with locks" : "");
		err_hint(err, "try again when the receiver has taken it");
		return r;
	}
	r = look_owner(dump, &fd, err);
	if (r == 0 && fd.fown.pid)
		r = err_set(err, -EOPNOTSUPP,
			    "%s: '%s': its signals go to process %u, but no process has it open",
			    where, fd.look.link, fd.fown.pid);
	return r < 0 ? r : kind->dump(dump, &fd, err);
}

int dump_fds(struct dump *dump, struct dump_task *task, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free FdinfoEntry *entries = NULL;
	cleanup_free bool *unclear = NULL;
	cleanup_free int *numbers = NULL;
	bool any_unclear = false;
	size_t n = 0;
	size_t kept = 0;
	int r;

	if (!task->own_files)
		return 0;
	r = proc_fds_of(task->host_pid, &numbers, &n, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", task->host_pid);
	r = dump_image_create(dump, &image, IMG_KIND_FDINFO, task->ids->files_id, err);
	if (r < 0)
		return r;
	entries = calloc(n + 1, sizeof(*entries));
	unclear = calloc(n + 1, sizeof(*unclear));
	if (!entries || !unclear)
		return err_oom(err);
	for (size_t i = 0; i < n; i++) {
		fdinfo_entry__init(&entries[kept]);
		r = dump_one(dump, task, numbers[i], &entries[kept], &unclear[kept], err);
		if (r < 0)
			return r;
		if (r == 0)
			any_unclear |= unclear[kept++];
	}
	n = kept;
	r = 0;
	if (any_unclear)
		r = dump_ask_cloexec(task, entries, unclear, n, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = image_write(&image, &entries[i].base, err);
	if (r < 0)
		return r;
	return image_finish(&image, err);
}

/* statx(2): STATX_MNT_ID since Linux 5.8. */
static int look_mount(struct dump_fd *fd, struct error *err)
{
	struct statx stx;

	if (statx(fd->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return err_sys(err, "%s: look up its mount", fd->look.where);
	fd->mnt_id = (int)stx.stx_mnt_id;
	return 0;
}

int dump_plain_file(struct dump *dump, struct dump_task *task, const char *name, uint32_t flags,
		    uint32_t *ret_id, struct error *err)
{
	struct dump_fd fd = { .task = task, .number = -1 };
	cleanup_fd int own = -EBADF;
	int r;

	fd.look.where = arena_printf(&dump->arena, "task %d: %s", task->host_pid, name);
	if (!fd.look.where)
		return err_oom(err);
	own = openat(task->proc, name, O_PATH | O_CLOEXEC);
	if (own < 0)
		return err_sys(err, "%s: open", fd.look.where);
	fd.fd = own;
	r = look_at(own, name, task->proc, &dump->arena, &fd.look, err);
	if (r < 0)
		return r;
	r = look_mount(&fd, err);
	if (r < 0)
		return r;
	fd.flags = flags;
	fd.fdinfo = "";
	fown_entry__init(&fd.fown);
	r = file_ids_get_plain(dump->file_ids, &fd.look.st, fd.mnt_id, flags, &fd.id, err);
	if (r < 0)
		return r;
	if (r > 0) {
		r = memfd_is(&fd.look) ? memfd_dump(dump, &fd, err) : file_dump(dump, &fd, err);
		if (r < 0)
			return r;
	}
	*ret_id = fd.id;
	return 0;
}

int dump_fs(struct dump *dump, struct dump_task *task, struct error *err)
{
	FsEntry fs = FS_ENTRY__INIT;
	int r;

	r = dump_plain_file(dump, task, "cwd", O_RDONLY, &fs.cwd_id, err);
	if (r < 0)
		return r;
	r = dump_plain_file(dump, task, "root", O_RDONLY, &fs.root_id, err);
	if (r < 0)
		return r;
	fs.has_umask = true;
	fs.umask = task->status.umask;
	return dump_image_one(dump, IMG_KIND_FS, (uint64_t)task->ns_pid, &fs.base, err);
}
