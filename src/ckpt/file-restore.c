#include "ckpt/file-restore.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "ckpt/memfd.h"
#include "ckpt/mount-restore.h"
#include "ckpt/ns-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/userns.h"
#include "img/image.h"

/* ------------------------------------------------------------------ loading */

static int compare_files(const void *a, const void *b)
{
	uint32_t x = ((const struct rfile *)a)->entry->id;
	uint32_t y = ((const struct rfile *)b)->entry->id;

	return x < y ? -1 : x > y;
}

struct rfile *files_find(const struct restore *r, uint32_t id)
{
	size_t low = 0;
	size_t high = r->n_files;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->files[middle].entry->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n_files && r->files[low].entry->id == id ? &r->files[low] : NULL;
}

const FdinfoEntry *rtask_fd(const struct rtask *t, uint32_t number)
{
	size_t low = 0;
	size_t high = t->n_fds;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->fds[middle]->fd < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->n_fds && t->fds[low]->fd == number ? t->fds[low] : NULL;
}

/* ---------------------------------------------------------------------- kinds */

#define OWNER_OF(field)                                                                            \
	static const FownEntry *field##_owner(const struct restore *r UNUSED, const FileEntry *e)  \
	{                                                                                          \
		return e->field ? e->field->fown : NULL;                                           \
	}
OWNER_OF(reg)
OWNER_OF(pipe)
OWNER_OF(efd)
OWNER_OF(sgfd)
OWNER_OF(tfd)
OWNER_OF(epfd)
OWNER_OF(usk)
OWNER_OF(isk)
OWNER_OF(nlsk)
OWNER_OF(psk)
OWNER_OF(memfd)
OWNER_OF(ext)
OWNER_OF(ify)
OWNER_OF(pidfd)
OWNER_OF(ffy)
OWNER_OF(tty)
#undef OWNER_OF

/* A FIFO's is that of its name's record. */
static const FownEntry *fifo_owner(const struct restore *r, const FileEntry *e)
{
	const struct rfile *reg =
		e->fifo ? files_find(r, e->fifo->has_regf_id ? e->fifo->regf_id : e->fifo->id)
			: NULL;

	return reg && reg->entry->reg ? reg->entry->reg->fown : NULL;
}

static const struct file_kind {
	FdTypes type;
	/* Writes to R's tape what makes file->staging. Called once a file. */
	int (*tape)(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
	/* May be NULL. */
	int (*late)(struct restore *r, struct rtask *t, uint32_t number, struct rfile *file,
		    struct error *err);
	const FownEntry *(*owner)(const struct restore *r, const FileEntry *e);
} file_kinds[] = {
	{ .type = FD_TYPES__REG, .tape = reg_file_tape, .owner = reg_owner },
	{ .type = FD_TYPES__PIPE, .tape = pipe_tape, .owner = pipe_owner },
	{ .type = FD_TYPES__FIFO, .tape = fifo_tape, .owner = fifo_owner },
	{ .type = FD_TYPES__EVENTFD, .tape = eventfd_tape, .owner = efd_owner },
	{ .type = FD_TYPES__SIGNALFD, .tape = signalfd_tape, .owner = sgfd_owner },
	{ .type = FD_TYPES__TIMERFD,
	  .tape = timerfd_tape,
	  .late = timerfd_tape_late,
	  .owner = tfd_owner },
	{ .type = FD_TYPES__EVENTPOLL,
	  .tape = eventpoll_tape,
	  .late = eventpoll_tape_late,
	  .owner = epfd_owner },
	{ .type = FD_TYPES__INOTIFY, .tape = inotify_tape, .owner = ify_owner },
	{ .type = FD_TYPES__FANOTIFY, .tape = fanotify_tape, .owner = ffy_owner },
	{ .type = FD_TYPES__NS, .tape = ns_file_tape },
	{ .type = FD_TYPES__PIDFD, .tape = pidfd_tape, .owner = pidfd_owner },
	{ .type = FD_TYPES__EXT, .tape = mqueue_tape, .owner = ext_owner },
	{ .type = FD_TYPES__MEMFD, .tape = memfd_tape, .owner = memfd_owner },
	{ .type = FD_TYPES__UNIXSK, .tape = unix_tape, .owner = usk_owner },
	{ .type = FD_TYPES__INETSK, .tape = inet_tape, .owner = isk_owner },
	{ .type = FD_TYPES__NETLINKSK, .tape = netlink_sk_tape, .owner = nlsk_owner },
	{ .type = FD_TYPES__PACKETSK, .tape = packet_tape, .owner = psk_owner },
	{ .type = FD_TYPES__TTY, .tape = tty_tape, .late = tty_tape_late, .owner = tty_owner },
};

static const struct file_kind *file_kind(const FileEntry *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_kinds); i++)
		if (file_kinds[i].type == e->type)
			return &file_kinds[i];
	return NULL;
}

static const FownEntry *file_owner(const struct restore *r, const FileEntry *e)
{
	const struct file_kind *kind = file_kind(e);

	return kind && kind->owner ? kind->owner(r, e) : NULL;
}

/* ------------------------------------------------------------------ loading */

int files_load(struct restore *r, struct error *err)
{
	FileEntry **entries = NULL;
	size_t n = 0;
	int ret = image_read_all(r->opts->images_dir, IMG_KIND_FILES, 0, &r->arena, &entries, &n,
				 err);

	if (ret < 0)
		return ret;
	r->files = calloc(n ? n : 1, sizeof(*r->files));
	if (!r->files)
		return err_oom(err);
	for (size_t i = 0; i < n; i++) {
		const FownEntry *owner = file_owner(r, entries[i]);

		r->files[i].entry = entries[i];
		r->files[i].staging = -1;
		if (owner && owner->pid)
			r->owners = true;
	}
	r->n_files = n;
	qsort(r->files, n, sizeof(*r->files), compare_files);
	ret = ghosts_load(r, err);
	return ret < 0 ? ret : fd_mark_numbers(r, err);
}

void files_done(struct restore *r)
{
	for (size_t i = 0; i < r->n_own_fds; i++)
		(void)close(r->own_fds[i]); /* the tree has its own */
	free(r->own_fds);
	free(r->fd_used);
	free(r->files);
	free(r->extras);
	memfds_restore_done(r);
	free(r->ghosts);
	for (size_t i = 0; i < r->n_tasks; i++)
		free(r->tasks[i]->keep);
	for (size_t i = 0; i < r->n_tasks; i++)
		free(r->tasks[i]->hold);
}

/* ------------------------------------------------------------------ R opens */

int inherit_find(const struct restore *r, const char *key)
{
	for (size_t i = 0; i < r->opts->n_inherit_fds; i++)
		if (strcmp(r->opts->inherit_fds[i].key, key) == 0)
			return r->opts->inherit_fds[i].fd;
	return -1;
}

int inherit_file(struct restore *r, struct rfile *file, const char *key, struct error *err)
{
	int fd = inherit_find(r, key);
	int copy;
	int staging;

	if (fd < 0)
		return 0;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return err_sys(err, "descriptor %d, to be inherited as '%s'", fd, key);
	staging = fd_stage_consume(r, copy, err);
	if (staging < 0)
		return staging;
	file->staging = staging;
	return 1;
}

static const char *type_name(FdTypes type)
{
	const ProtobufCEnumValue *value =
		protobuf_c_enum_descriptor_get_value(&fd_types__descriptor, (int)type);

	return value ? value->name : "unknown";
}

int rfile_stage(struct restore *r, struct tape *tape, struct rfile *file, uint32_t slot,
		struct error *err)
{
	file->staging = fd_stage(r, err);
	if (file->staging < 0)
		return file->staging;
	fd_tape_stage(tape, slot, file->staging);
	return 0;
}

int file_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const struct file_kind *kind = file_kind(file->entry);

	file->planned = true;
	if (!kind)
		return err_set(err, -EOPNOTSUPP, "files of type %s can't be rebuilt yet",
			       type_name(file->entry->type));
	return kind->tape(r, tape, file, err);
}

int files_tape(struct restore *r, struct error *err)
{
	for (size_t i = 0; i < r->n_tasks; i++) {
		struct rtask *t = r->tasks[i];

		for (size_t j = 0; j < t->n_fds; j++) {
			struct rfile *file = files_find(r, t->fds[j]->id);
			int ret = 0;

			if (!file)
				ret = err_set(err, -EBADMSG, "no file %u in files.img",
					      t->fds[j]->id);
			else if (!file->planned)
				ret = file_tape(r, r->root->build, file, err);
			if (ret < 0)
				return err_wrap(err, ret, "task %u (%s): descriptor %u", t->pid,
						rtask_comm(t), t->fds[j]->fd);
		}
	}
	return 0;
}

int files_stage_extra(struct restore *r, uint32_t id, uint32_t flags, struct error *err)
{
	struct rfile *file = files_find(r, id);
	struct rextra *extras = NULL;
	uint32_t slot = 0;
	int staging;
	int ret;

	if (!file)
		return err_set(err, -EBADMSG, "no file %u in files.img", id);
	for (size_t i = file->extra; i; i = r->extras[i - 1].next)
		if (r->extras[i - 1].flags == flags)
			return r->extras[i - 1].staging;
	if (file->entry->type != FD_TYPES__MEMFD &&
	    (file->entry->type != FD_TYPES__REG || !file->entry->reg))
		return err_set(err, -EOPNOTSUPP, "mapped files of type %s can't be rebuilt yet",
			       type_name(file->entry->type));
	if (file->entry->type == FD_TYPES__MEMFD && (flags & O_ACCMODE) == O_RDWR)
		return memfd_stage(r, file, err);
	extras = realloc(r->extras, (r->n_extras + 1) * sizeof(*extras));
	if (!extras)
		return err_oom(err);
	r->extras = extras;
	staging = fd_stage(r, err);
	if (staging < 0)
		return staging;
	ret = file->entry->type == FD_TYPES__MEMFD
		      ? memfd_open(r, r->root->build, file, flags, &slot, err)
		      : reg_file_open(r, r->root->build, file, flags, &slot, err);
	if (ret < 0)
		return ret;
	fd_tape_stage(r->root->build, slot, staging);
	extras[r->n_extras++] =
		(struct rextra){ .flags = flags, .staging = staging, .next = file->extra };
	file->extra = r->n_extras;
	return staging;
}

/* ------------------------------------------------------------ each task places */

int fd_stage_folders(struct restore *r, const struct rtask *t, struct error *err)
{
	int ret = files_stage_extra(r, t->fs->cwd_id, O_PATH | O_DIRECTORY, err);

	return ret < 0 ? ret : files_stage_extra(r, t->fs->root_id, O_PATH | O_DIRECTORY, err);
}

/* Root, working folder, file mode mask. */
static int tape_folders(struct restore *r, struct rtask *t, struct error *err)
{
	const struct rfile *root = files_find(r, t->fs->root_id);
	const struct rfile *cwd = files_find(r, t->fs->cwd_id);
	int fd;

	if (!root || !root->entry->reg || !cwd || !cwd->entry->reg)
		return err_set(err, -EBADMSG, "fs-%u.img: root or working folder is no file",
			       t->pid);
	if (strcmp(root->entry->reg->name, "/") != 0) {
		fd = files_stage_extra(r, t->fs->root_id, O_PATH | O_DIRECTORY, err);
		if (fd < 0)
			return err_wrap(err, fd, "root folder");
		tape_call(t->build, SYS_fchdir, TAPE_ARGS(tape_imm((uint64_t)fd)),
			  "entering root folder '%s'", root->entry->reg->name);
		tape_call(t->build, SYS_chroot, TAPE_ARGS(tape_at(area_add_string(&r->area, "."))),
			  "changing root to '%s'", root->entry->reg->name);
	}
	fd = files_stage_extra(r, t->fs->cwd_id, O_PATH | O_DIRECTORY, err);
	if (fd < 0)
		return err_wrap(err, fd, "working folder");
	tape_call(t->build, SYS_fchdir, TAPE_ARGS(tape_imm((uint64_t)fd)),
		  "entering working folder '%s'", cwd->entry->reg->name);
	if (t->fs->has_umask)
		tape_call(t->build, SYS_umask, TAPE_ARGS(tape_imm(t->fs->umask)),
			  "setting the file mode mask");
	return 0;
}

int fd_tape_place(struct restore *r, struct rtask *t, struct error *err)
{
	int ret;

	mounts_tape_enter(r, t);
	ns_tape_enter(r, t);
	ret = tape_folders(r, t, err);
	if (ret < 0)
		return err_wrap(err, ret, "task %u (%s)", t->pid, rtask_comm(t));
	for (size_t i = 0; i < t->n_fds; i++) {
		const FdinfoEntry *fd = t->fds[i];
		const struct rfile *file = files_find(r, fd->id);
		uint32_t entry =
			tape_call(t->build, SYS_dup3,
				  TAPE_ARGS(tape_imm((uint64_t)file->staging), tape_imm(fd->fd),
					    tape_imm(fd->flags & FD_CLOEXEC ? O_CLOEXEC : 0)),
				  "placing descriptor %u", fd->fd);

		tape_expect(t->build, entry, PIE_RULE_EQUAL, fd->fd);
	}
	return fd_tape_close_rest(t, err);
}

static void tape_owner(struct restore *r, struct rtask *t, uint32_t number, const FownEntry *owner)
{
	struct f_owner_ex ex;

	if (owner->signum)
		tape_call(t->become, SYS_fcntl,
			  TAPE_ARGS(tape_imm(number), tape_imm(F_SETSIG), tape_imm(owner->signum)),
			  "signal of descriptor %u", number);
	if (!owner->pid)
		return;
	ex.type = (__typeof__(ex.type))owner->pid_type;
	ex.pid = (pid_t)owner->pid;
	/* Signals are sent with the ids of him who set the owner. */
	tape_call(t->become, SYS_setresuid,
		  TAPE_ARGS(tape_imm(owner->uid), tape_imm(owner->euid), tape_imm(~0u)),
		  "owner of descriptor %u", number);
	tape_call(t->become, SYS_fcntl,
		  TAPE_ARGS(tape_imm(number), tape_imm(F_SETOWN_EX),
			    tape_at(area_add(&r->area, &ex, sizeof(ex)))),
		  "owner of descriptor %u", number);
	tape_call(
		t->become, SYS_setresuid,
		TAPE_ARGS(tape_imm(userns_own_uid(r)), tape_imm(userns_own_uid(r)), tape_imm(~0u)),
		"owner of descriptor %u", number);
}

void fd_tape_owner(struct restore *r, struct rtask *t, uint32_t number)
{
	const FdinfoEntry *fd = rtask_fd(t, number);
	const struct rfile *file = fd ? files_find(r, fd->id) : NULL;
	const FownEntry *owner = file ? file_owner(r, file->entry) : NULL;

	if (owner)
		tape_owner(r, t, number, owner);
}

static uint32_t file_flags(const struct restore *r, const FileEntry *e)
{
	const struct rfile *reg = NULL;

	if (e->pipe)
		return e->pipe->flags;
	if (e->usk)
		return e->usk->flags;
	if (e->isk)
		return e->isk->flags;
	if (e->fifo)
		reg = files_find(r, e->fifo->has_regf_id ? e->fifo->regf_id : e->fifo->id);
	return reg && reg->entry->reg ? reg->entry->reg->flags : 0;
}

/* The signal tells the number by which it was asked for: here, not where it was staged. */
static void tape_async(struct rtask *t, uint32_t number, uint32_t flags)
{
	const uint32_t status = flags & (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME);

	tape_call(t->become, SYS_fcntl,
		  TAPE_ARGS(tape_imm(number), tape_imm(F_SETFL), tape_imm(status)),
		  "flags of descriptor %u", number);
	tape_call(t->become, SYS_fcntl,
		  TAPE_ARGS(tape_imm(number), tape_imm(F_SETFL), tape_imm(status | O_ASYNC)),
		  "flags of descriptor %u", number);
}

int fd_tape_late(struct restore *r, struct rtask *t, struct error *err)
{
	born_tape_late(r, t);
	for (size_t i = 0; i < t->n_fds; i++) {
		struct rfile *file = files_find(r, t->fds[i]->id);
		const struct file_kind *kind = file_kind(file->entry);
		const FownEntry *owner = file_owner(r, file->entry);
		int ret = 0;

		if (file->finished_by)
			continue;
		file->finished_by = t;
		if (kind && kind->late)
			ret = kind->late(r, t, t->fds[i]->fd, file, err);
		if (ret < 0)
			return err_wrap(err, ret, "task %u (%s): descriptor %u", t->pid,
					rtask_comm(t), t->fds[i]->fd);
		if (owner)
			tape_owner(r, t, t->fds[i]->fd, owner);
		if (file_flags(r, file->entry) & O_ASYNC)
			tape_async(t, t->fds[i]->fd, file_flags(r, file->entry));
	}
	return 0;
}

/* ------------------------------------------------------------------- checks */

static int check_file(const struct restore *r, const struct rfile *file, struct error *err)
{
	const RegFileEntry *reg = file->entry->reg;
	const struct stat *st = (const struct stat *)((const char *)r->live + file->stat_at);

	if (reg->has_mode && (st->st_mode & S_IFMT) != (reg->mode & S_IFMT))
		return err_set(err, -EBADMSG, "file '%s' is of another kind than at the dump",
			       reg->name);
	if (!reg->has_size || !S_ISREG(st->st_mode) || (uint64_t)st->st_size == reg->size)
		return 0;
	if (!file->mapped && (reg->flags & O_ACCMODE) != O_RDONLY) {
		log_warn("file '%s' has %jd bytes now, %" PRIu64
			 " at the dump: it goes on as it is",
			 reg->name, (intmax_t)st->st_size, reg->size);
		return 0;
	}
	err_set(err, -EBADMSG, "file '%s' has %jd bytes now, %" PRIu64 " at the dump", reg->name,
		(intmax_t)st->st_size, reg->size);
	err_hint(err, "restore the file as it was, or dump the process anew");
	return -EBADMSG;
}

int files_check(const struct restore *r, struct error *err)
{
	for (size_t i = 0; i < r->n_files; i++) {
		int ret = r->files[i].stat_at ? check_file(r, &r->files[i], err) : 0;

		if (ret < 0)
			return ret;
	}
	return 0;
}
