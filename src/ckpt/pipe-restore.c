/*
 * pipe-restore: pipes and FIFOs with what is in them.
 *
 * Records with the same pipe_id are ends of one pipe. The first one met makes
 * the pipe and both ends; further descriptions of it (other flags) are opened
 * through /proc/self/fd.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/pipe-data.pb-c.h"

#define PIPE_BYTES_MAX ((uint32_t)64 << 20)
#define PIPE_STATUS_FLAGS (O_NONBLOCK | O_DIRECT | O_ASYNC)

/* Size and content, through an end that can be written to without blocking. */
static int tape_content(struct restore *r, struct tape *tape, enum img_kind kind, uint32_t pipe_id,
			struct tape_arg end, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	PipeDataEntry *data = NULL;
	int ret = image_open(&image, r->opts->images_dir, kind, 0, err);

	if (ret == -ENOENT)
		return 0;
	while (ret >= 0) {
		uint64_t bytes;
		uint32_t entry;

		ret = image_read(&image, &r->arena, &data, err);
		if (ret <= 0)
			return ret;
		if (data->pipe_id != pipe_id)
			continue;
		if (data->bytes > PIPE_BYTES_MAX)
			return err_set(err, -EBADMSG, "%s: pipe %u holds %u bytes", image.name,
				       pipe_id, data->bytes);
		if (data->has_size && data->size)
			tape_call(tape, SYS_fcntl,
				  TAPE_ARGS(end, tape_imm(F_SETPIPE_SZ), tape_imm(data->size)),
				  "size of pipe %u", pipe_id);
		if (!data->bytes)
			return 0;
		bytes = area_alloc(&r->area, data->bytes, 8);
		if (!bytes)
			return err_oom(err);
		ret = image_read_raw(&image, area_data(&r->area, bytes), data->bytes, err);
		if (ret < 0)
			return ret;
		entry = tape_call(tape, SYS_write,
				  TAPE_ARGS(end, tape_at(bytes), tape_imm(data->bytes)),
				  "content of pipe %u", pipe_id);
		tape_expect(tape, entry, PIE_RULE_EQUAL, data->bytes);
		return 0;
	}
	return ret;
}

/* Another description of the pipe that `from` is an end of. */
static int tape_reopen(struct restore *r, struct tape *tape, int from, struct rfile *file,
		       uint32_t flags, struct error *err)
{
	char path[40];
	uint32_t slot;

	snprintf(path, sizeof(path), "self/fd/%d", from);
	file->staging = fd_stage(r, err);
	if (file->staging < 0)
		return file->staging;
	slot = tape_call(tape, SYS_openat,
			 TAPE_ARGS(tape_imm((uint64_t)r->proc_fd),
				   tape_at(area_add_string(&r->area, path)),
				   tape_imm(flags & (O_ACCMODE | PIPE_STATUS_FLAGS))),
			 "open /proc/%s again", path);
	fd_tape_stage(tape, slot, file->staging);
	return 0;
}

static void tape_status_flags(struct tape *tape, int fd, uint32_t flags)
{
	if (flags & PIPE_STATUS_FLAGS)
		tape_call(tape, SYS_fcntl,
			  TAPE_ARGS(tape_imm((uint64_t)fd), tape_imm(F_SETFL),
				    tape_imm(flags & PIPE_STATUS_FLAGS)),
			  "flags of descriptor %d", fd);
}

/* Takes an end of a new pipe as the description of `file`. */
static int tape_take_end(struct restore *r, struct tape *tape, uint64_t number, struct rfile *file,
			 struct error *err)
{
	uint32_t entry;

	file->planned = true;
	file->staging = fd_stage(r, err);
	if (file->staging < 0)
		return file->staging;
	entry = tape_call(tape, SYS_dup3,
			  TAPE_ARGS(tape_load32(number), tape_imm((uint64_t)file->staging),
				    tape_imm(O_CLOEXEC)),
			  "keeping the pipe's end as descriptor %d", file->staging);
	tape_expect(tape, entry, PIE_RULE_EQUAL, file->staging);
	return 0;
}

static int tape_new_pipe(struct restore *r, struct tape *tape, uint32_t pipe_id, struct error *err)
{
	uint64_t ends = area_alloc(&r->area, 2 * sizeof(int32_t), 8);
	struct rfile *reader = NULL;
	struct rfile *writer = NULL;
	int ret;

	tape_call(tape, SYS_pipe2, TAPE_ARGS(tape_at(ends), tape_imm(0)), "making pipe %u",
		  pipe_id);
	ret = tape_content(r, tape, IMG_KIND_PIPES_DATA, pipe_id, tape_load32(ends + 4), err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < r->n_files; i++) {
		const FileEntry *e = r->files[i].entry;

		if (e->type != FD_TYPES__PIPE || !e->pipe || e->pipe->pipe_id != pipe_id)
			continue;
		if ((e->pipe->flags & O_ACCMODE) == O_RDONLY && !reader)
			reader = &r->files[i];
		else if ((e->pipe->flags & O_ACCMODE) == O_WRONLY && !writer)
			writer = &r->files[i];
	}
	if (reader)
		ret = tape_take_end(r, tape, ends, reader, err);
	if (ret >= 0 && writer)
		ret = tape_take_end(r, tape, ends + 4, writer, err);
	for (size_t i = 0; ret >= 0 && i < r->n_files; i++) {
		const FileEntry *e = r->files[i].entry;
		struct rfile *file = &r->files[i];
		const struct rfile *from = reader ? reader : writer;

		if (e->type != FD_TYPES__PIPE || !e->pipe || e->pipe->pipe_id != pipe_id ||
		    file == reader || file == writer)
			continue;
		file->planned = true;
		if (!from)
			return err_set(err, -EOPNOTSUPP, "pipe %u is open for both ways only",
				       pipe_id);
		ret = tape_reopen(r, tape, from->staging, file, e->pipe->flags, err);
	}
	if (ret < 0)
		return ret;
	if (reader)
		tape_status_flags(tape, reader->staging, reader->entry->pipe->flags);
	if (writer)
		tape_status_flags(tape, writer->staging, writer->entry->pipe->flags);
	tape_call(tape, SYS_close, TAPE_ARGS(tape_load32(ends)), "closing a pipe's end");
	tape_call(tape, SYS_close, TAPE_ARGS(tape_load32(ends + 4)), "closing a pipe's end");
	return 0;
}

/*
 * The caller's pipe, whose end `handed` took the place of the dumped one. Every
 * other description of the pipe is opened from it.
 */
static int tape_inherited(struct restore *r, struct tape *tape, struct rfile *first, int handed,
			  struct error *err)
{
	for (size_t i = 0; i < r->n_files; i++) {
		struct rfile *file = &r->files[i];
		const PipeEntry *pipe = file->entry->pipe;
		int ret;

		if (file->entry->type != FD_TYPES__PIPE || !pipe || file == first ||
		    pipe->pipe_id != first->entry->pipe->pipe_id)
			continue;
		file->planned = true;
		ret = tape_reopen(r, tape, handed, file, pipe->flags, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int pipe_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const PipeEntry *pipe = file->entry->pipe;
	char key[32];
	int handed;
	int flags;
	int ret;

	if (!pipe)
		return err_set(err, -EBADMSG, "files.img: pipe %u has no record", file->entry->id);
	snprintf(key, sizeof(key), "pipe:[%u]", pipe->pipe_id);
	ret = inherit_file(r, file, key, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return tape_new_pipe(r, tape, pipe->pipe_id, err);

	handed = file->staging;
	flags = fcntl(handed, F_GETFL);
	if (flags < 0)
		return err_sys(err, "descriptor handed over as '%s'", key);
	if (((uint32_t)flags & O_ACCMODE) != (pipe->flags & O_ACCMODE)) {
		ret = tape_reopen(r, tape, handed, file, pipe->flags, err);
		if (ret < 0)
			return ret;
	}
	return tape_inherited(r, tape, file, handed, err);
}

int fifo_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err)
{
	const FifoEntry *fifo = file->entry->fifo;
	struct rfile *reg = NULL;
	uint32_t helper = 0;
	uint32_t slot = 0;
	bool first = true;
	int ret;

	if (!fifo)
		return err_set(err, -EBADMSG, "files.img: FIFO %u has no record", file->entry->id);
	reg = files_find(r, fifo->has_regf_id ? fifo->regf_id : fifo->id);
	if (!reg || !reg->entry->reg)
		return err_set(err, -EBADMSG, "files.img: FIFO %u has no path", fifo->id);
	for (size_t i = 0; i < r->n_files; i++)
		if (&r->files[i] != file && r->files[i].entry->fifo && r->files[i].planned &&
		    r->files[i].entry->fifo->pipe_id == fifo->pipe_id)
			first = false;

	/* Opened for both ways it never blocks, and lets the next open not block either. */
	ret = reg_file_open(r, tape, reg, O_RDWR, &helper, err);
	if (ret < 0)
		return ret;
	ret = reg_file_open(r, tape, reg, reg->entry->reg->flags, &slot, err);
	if (ret < 0)
		return ret;
	if (first) {
		ret = tape_content(r, tape, IMG_KIND_FIFO_DATA, fifo->pipe_id, tape_slot(helper),
				   err);
		if (ret < 0)
			return ret;
	}
	file->staging = fd_stage(r, err);
	if (file->staging < 0)
		return file->staging;
	fd_tape_stage(tape, slot, file->staging);
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(helper)), "closing the FIFO's other end");
	return 0;
}
