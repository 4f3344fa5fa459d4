#include "ckpt/watches-restore.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/mountinfo.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"

int watches_stage(struct restore *r, struct tape *tape, struct rfile *file, uint32_t slot,
		  uint32_t flags, struct error *err)
{
	int ret = rfile_stage(r, tape, file, slot, err);

	if (ret < 0)
		return ret;
	if (flags & O_ASYNC)
		tape_call(tape, SYS_fcntl,
			  TAPE_ARGS(tape_imm((uint64_t)file->staging), tape_imm(F_SETFL),
				    tape_imm(flags & (O_NONBLOCK | O_ASYNC))),
			  "flags of descriptor %d", file->staging);
	r->watching = true;
	return fd_hold(r->root, file->staging, err);
}

/* What R needs to reach names from anywhere: its first root, /proc, and one number to open with. */
static int begin(struct restore *r, struct error *err)
{
	uint32_t slot;
	int ret;

	if (r->watch_root >= 0)
		return 0;
	ret = fd_stage(r, err);
	if (ret < 0)
		return ret;
	r->watch_root = ret;
	ret = fd_stage(r, err);
	if (ret < 0)
		return ret;
	r->watch_fd = ret;
	ret = fd_hold(r->root, r->watch_fd, err);
	if (ret < 0)
		return ret;
	slot = tape_call(r->root->build, SYS_openat,
			 TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD),
				   tape_at(area_add_string(&r->area, "/")),
				   tape_imm(O_PATH | O_DIRECTORY)),
			 "holding the root folder");
	fd_tape_stage(r->root->build, slot, r->watch_root);
	ret = fd_hold(r->root, r->watch_root, err);
	return ret < 0 ? ret : fd_hold(r->root, r->proc_fd, err);
}

static uint64_t link_to(struct restore *r, int fd)
{
	char link[32];

	(void)snprintf(link, sizeof(link), "self/fd/%d", fd); /* always fits */
	return area_add_string(&r->area, link);
}

void watches_path(struct restore *r, struct tape *tape, const char *path, uint64_t *ret_link)
{
	const char *relative = path + strspn(path, "/");
	uint32_t slot;

	slot = tape_call(tape, SYS_openat,
			 TAPE_ARGS(tape_imm((uint64_t)r->watch_root),
				   tape_at(area_add_string(&r->area, *relative ? relative : ".")),
				   tape_imm(O_PATH | O_NOFOLLOW)),
			 "finding '%s', which is watched", path);
	fd_tape_stage(tape, slot, r->watch_fd);
	*ret_link = link_to(r, r->watch_fd);
}

const char *watches_name(const FhEntry *handle)
{
	return handle && handle->path ? handle->path : "(deleted)";
}

/* Nameless ones that are held until their turn comes. */
struct rwatched {
	const FhEntry *handle;
	int staging;
};

int watches_target(struct restore *r, struct tape *tape, uint32_t sdev, uint64_t ino,
		   const FhEntry *handle, uint64_t *ret_link, struct error *err)
{
	if (handle && handle->path) {
		watches_path(r, tape, handle->path, ret_link);
		return 0;
	}
	for (size_t i = 0; i < r->n_watched; i++) {
		if (r->watched[i].handle == handle) {
			*ret_link = link_to(r, r->watched[i].staging);
			return 0;
		}
	}
	return err_set(err, -EOPNOTSUPP,
		       "inode %" PRIu64 " of device %u:%u has no name in the images, and can't be "
		       "found by its handle",
		       ino, sdev >> 20, sdev & 0xfffff);
}

/* CRIU's images tell only a handle where it saw no name. 1: *ret_fd is that file. */
static int open_handle(const struct restore *r, uint32_t sdev, const FhEntry *fh, int *ret_fd,
		       struct error *err)
{
	cleanup_mountinfo struct mountinfo_table table = MOUNTINFO_TABLE_INIT;
	struct {
		struct file_handle head;
		unsigned char data[MAX_HANDLE_SZ];
	} handle = { .head = { .handle_bytes = fh->bytes, .handle_type = (int)fh->type } };
	int ret;

	if (r->new_mnt_ns || fh->bytes > sizeof(handle.data) ||
	    fh->bytes > fh->n_handle * sizeof(*fh->handle))
		return 0;
	memcpy(handle.data, fh->handle, fh->bytes);
	ret = mountinfo_read_at(AT_FDCWD, "/proc/self/mountinfo", &table, err);
	for (size_t i = 0; i < table.n && ret >= 0; i++) {
		const struct mountinfo *mount = &table.mounts[i];
		cleanup_fd int any = -EBADF;

		if ((mount->dev_major << 20 | mount->dev_minor) != sdev)
			continue;
		any = open(mount->mountpoint, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		*ret_fd = any < 0 ? -1 : open_by_handle_at(any, &handle.head, O_PATH | O_CLOEXEC);
		if (*ret_fd >= 0)
			return 1;
	}
	return ret < 0 ? ret : 0;
}

static int hold_one(struct restore *r, uint32_t sdev, uint64_t ino, const FhEntry *handle,
		    struct error *err)
{
	struct rwatched *more = NULL;
	int staging = -1;
	int fd = -1;
	int ret;

	if (!handle || handle->path)
		return 0;
	ret = ghost_anchor(r, sdev, ino, &staging, err);
	if (ret == 0) {
		ret = open_handle(r, sdev, handle, &fd, err);
		if (ret > 0)
			ret = staging = fd_stage_consume(r, fd, err);
	}
	if (ret < 0 || staging < 0)
		return ret;
	more = realloc(r->watched, (r->n_watched + 1) * sizeof(*more));
	if (!more)
		return err_oom(err);
	r->watched = more;
	more[r->n_watched++] = (struct rwatched){ .handle = handle, .staging = staging };
	return fd_hold(r->root, staging, err);
}

void watches_done(struct restore *r)
{
	free(r->watched);
}

static int hold_nameless(struct restore *r, const FileEntry *e, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; e->ify && i < e->ify->n_wd && ret >= 0; i++)
		ret = hold_one(r, e->ify->wd[i]->s_dev, e->ify->wd[i]->i_ino,
			       e->ify->wd[i]->f_handle, err);
	for (size_t i = 0; e->ffy && i < e->ffy->n_mark && ret >= 0; i++)
		if (e->ffy->mark[i]->ie)
			ret = hold_one(r, e->ffy->mark[i]->s_dev, e->ffy->mark[i]->ie->i_ino,
				       e->ffy->mark[i]->ie->f_handle, err);
	return ret;
}

static int tape_all(struct restore *r, struct rtask *t, struct error *err)
{
	for (size_t i = 0; i < r->n_files; i++) {
		const struct rfile *file = &r->files[i];
		int ret = 0;

		if (file->staging < 0)
			continue;
		if (file->entry->type == FD_TYPES__INOTIFY)
			ret = inotify_tape_watches(r, t->become, file, err);
		else if (file->entry->type == FD_TYPES__FANOTIFY)
			ret = fanotify_tape_watches(r, t->become, file, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static uint32_t count_others(const struct restore *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->n_tasks; i++)
		n += rtask_lives(r->tasks[i]) && r->tasks[i] != r->root;
	return n;
}

int watches_hold(struct restore *r, struct rtask *t, struct error *err)
{
	int ret;

	if (!r->watching || t != r->root)
		return 0;
	ret = begin(r, err);
	if (ret >= 0)
		ret = files_stage_extra(r, t->fs->cwd_id, O_PATH | O_DIRECTORY, err);
	if (ret >= 0)
		ret = fd_hold(t, ret, err);
	for (size_t i = 0; i < r->n_files && ret >= 0; i++)
		if (r->files[i].staging >= 0)
			ret = hold_nameless(r, r->files[i].entry, err);
	return ret;
}

int watches_tape(struct restore *r, struct rtask *t, struct error *err)
{
	int cwd;
	int ret;

	if (!r->watching)
		return 0;
	if (t != r->root) {
		tape_post(t->become, r->words.dropped, "has its own files only");
		return 0;
	}
	cwd = files_stage_extra(r, t->fs->cwd_id, O_PATH | O_DIRECTORY, err);
	if (cwd < 0)
		return cwd;
	tape_barrier(t->become, r->words.dropped, count_others(r),
		     "waiting until nobody opens or closes files any more");
	tape_call(t->become, SYS_fchdir, TAPE_ARGS(tape_imm((uint64_t)r->proc_fd)),
		  "entering /proc");
	ret = tape_all(r, t, err);
	if (ret < 0)
		return ret;
	tape_call(t->become, SYS_fchdir, TAPE_ARGS(tape_imm((uint64_t)cwd)),
		  "returning to the working folder");
	for (size_t i = 0; i < t->n_hold; i++)
		tape_call(t->become, SYS_close_range,
			  TAPE_ARGS(tape_imm(t->hold[i]), tape_imm(t->hold[i])),
			  "closing descriptor %u", t->hold[i]);
	return 0;
}
