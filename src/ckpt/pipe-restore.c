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
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"
#include "img/pb/pipe-data.pb-c.h"

#define PIPE_BYTES_MAX ((uint32_t)64 << 20)
/* O_ASYNC is set late, by the number of a task; open(2) would set the flag and do nothing. */
#define PIPE_STATUS_FLAGS (O_NONBLOCK | O_DIRECT)

/* All ends and contents, so that each pipe finds its own. */
struct pipe_end {
	uint32_t pipe_id;
	struct rfile *file;
};

struct pipe_content {
	uint32_t pipe_id;
	const PipeDataEntry *data;
	size_t order;	/* in the image; more than one: packets */
	uint64_t bytes; /* area; 0: none */
};

struct contents {
	struct pipe_content *v; /* ascending by pipe_id */
	size_t n;
};

struct rpipes {
	struct pipe_end *ends; /* ascending by pipe_id, then as in files.img */
	size_t n_ends;
	struct contents pipes, fifos;
};

static int by_id_and_place(const void *a, const void *b)
{
	const struct pipe_end *x = a;
	const struct pipe_end *y = b;

	if (x->pipe_id != y->pipe_id)
		return x->pipe_id < y->pipe_id ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

static int by_id_and_order(const void *a, const void *b)
{
	const struct pipe_content *x = a;
	const struct pipe_content *y = b;

	if (x->pipe_id != y->pipe_id)
		return x->pipe_id < y->pipe_id ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int load_contents(struct restore *r, enum img_kind kind, struct contents *ret,
			 struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	PipeDataEntry *data = NULL;
	size_t size = 0;
	int got = image_open(&image, r->opts->images_dir, kind, 0, err);

	if (got == -ENOENT)
		return 0;
	while (got >= 0 && (got = image_read(&image, &r->arena, &data, err)) > 0) {
		struct pipe_content *c;

		if (data->bytes > PIPE_BYTES_MAX)
			return err_set(err, -EBADMSG, "%s: pipe %u holds %u bytes", image.name,
				       data->pipe_id, data->bytes);
		if (ret->n == size) {
			size = size ? 2 * size : 64;
			c = reallocarray(ret->v, size, sizeof(*c));
			if (!c)
				return err_oom(err);
			ret->v = c;
		}
		c = &ret->v[ret->n];
		*c = (struct pipe_content){ .pipe_id = data->pipe_id,
					    .data = data,
					    .order = ret->n++ };
		if (!data->bytes)
			continue;
		c->bytes = area_alloc(&r->area, data->bytes, 8);
		if (!c->bytes)
			return err_oom(err);
		got = image_read_raw(&image, area_data(&r->area, c->bytes), data->bytes, err);
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_id_and_order);
	return got < 0 ? got : 0;
}

static int load_pipes(struct restore *r, struct error *err)
{
	struct rpipes *pipes = r->pipes;
	int ret;

	if (pipes)
		return 0;
	pipes = r->pipes = calloc(1, sizeof(*pipes));
	if (!pipes)
		return err_oom(err);
	pipes->ends = calloc(r->n_files ? r->n_files : 1, sizeof(*pipes->ends));
	if (!pipes->ends)
		return err_oom(err);
	for (size_t i = 0; i < r->n_files; i++) {
		const FileEntry *e = r->files[i].entry;

		if (e->type == FD_TYPES__PIPE && e->pipe)
			pipes->ends[pipes->n_ends++] =
				(struct pipe_end){ .pipe_id = e->pipe->pipe_id,
						   .file = &r->files[i] };
	}
	qsort(pipes->ends, pipes->n_ends, sizeof(*pipes->ends), by_id_and_place);
	ret = load_contents(r, IMG_KIND_PIPES_DATA, &pipes->pipes, err);
	return ret < 0 ? ret : load_contents(r, IMG_KIND_FIFO_DATA, &pipes->fifos, err);
}

void pipes_restore_done(struct restore *r)
{
	if (!r->pipes)
		return;
	free(r->pipes->pipes.v);
	free(r->pipes->fifos.v);
	free(r->pipes->ends);
	free(r->pipes);
}

/* The ends of one pipe; *ret_n of them. */
static const struct pipe_end *ends_of(const struct restore *r, uint32_t pipe_id, size_t *ret_n)
{
	const struct rpipes *pipes = r->pipes;
	size_t low = 0;
	size_t high = pipes->n_ends;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pipes->ends[middle].pipe_id < pipe_id)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < pipes->n_ends && pipes->ends[high].pipe_id == pipe_id; high++)
		;
	*ret_n = high - low;
	return pipes->ends + low;
}

static void tape_packet_mode(struct tape *tape, struct tape_arg end, uint32_t pipe_id, bool on)
{
	tape_call(tape, SYS_fcntl,
		  TAPE_ARGS(end, tape_imm(F_SETFL), tape_imm(on ? O_DIRECT | O_NONBLOCK : 0)),
		  "packet mode of pipe %u", pipe_id);
}

/* Size and content, through an end that can be written to without blocking. */
static void tape_content(const struct contents *contents, struct tape *tape, uint32_t pipe_id,
			 struct tape_arg end, bool packets)
{
	size_t low = 0;
	size_t high = contents->n;
	const struct pipe_content *c;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (contents->v[middle].pipe_id < pipe_id)
			low = middle + 1;
		else
			high = middle;
	}
	c = contents->v + low;
	while (high < contents->n && contents->v[high].pipe_id == pipe_id)
		high++;
	if (high == low)
		return;
	packets = packets || high - low > 1;
	if (c->data->has_size && c->data->size)
		tape_call(tape, SYS_fcntl,
			  TAPE_ARGS(end, tape_imm(F_SETPIPE_SZ), tape_imm(c->data->size)),
			  "size of pipe %u", pipe_id);
	if (packets)
		tape_packet_mode(tape, end, pipe_id, true);
	for (; low < high; low++, c++) {
		uint32_t entry;

		if (!c->data->bytes)
			continue;
		entry = tape_call(tape, SYS_write,
				  TAPE_ARGS(end, tape_at(c->bytes), tape_imm(c->data->bytes)),
				  "content of pipe %u", pipe_id);
		tape_expect(tape, entry, PIE_RULE_EQUAL, c->data->bytes);
	}
	if (packets)
		tape_packet_mode(tape, end, pipe_id, false);
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
	const struct pipe_end *all;
	struct rfile *reader = NULL;
	struct rfile *writer = NULL;
	bool packets = false;
	size_t n;
	int ret = 0;

	all = ends_of(r, pipe_id, &n);
	tape_call(tape, SYS_pipe2, TAPE_ARGS(tape_at(ends), tape_imm(0)), "making pipe %u",
		  pipe_id);
	for (size_t i = 0; i < n; i++) {
		uint32_t mode = all[i].file->entry->pipe->flags & O_ACCMODE;

		if (mode == O_WRONLY && all[i].file->entry->pipe->flags & O_DIRECT)
			packets = true;
		if (mode == O_RDONLY && !reader)
			reader = all[i].file;
		else if (mode == O_WRONLY && !writer)
			writer = all[i].file;
	}
	tape_content(&r->pipes->pipes, tape, pipe_id, tape_load32(ends + 4), packets);
	if (reader)
		ret = tape_take_end(r, tape, ends, reader, err);
	if (ret >= 0 && writer)
		ret = tape_take_end(r, tape, ends + 4, writer, err);
	for (size_t i = 0; ret >= 0 && i < n; i++) {
		struct rfile *file = all[i].file;
		const struct rfile *from = reader ? reader : writer;

		if (file == reader || file == writer)
			continue;
		file->planned = true;
		if (!from)
			return err_set(err, -EOPNOTSUPP, "pipe %u is open for both ways only",
				       pipe_id);
		ret = tape_reopen(r, tape, from->staging, file, file->entry->pipe->flags, err);
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
	size_t n;
	const struct pipe_end *all = ends_of(r, first->entry->pipe->pipe_id, &n);

	for (size_t i = 0; i < n; i++) {
		struct rfile *file = all[i].file;
		int ret;

		if (file == first)
			continue;
		file->planned = true;
		ret = tape_reopen(r, tape, handed, file, file->entry->pipe->flags, err);
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
	ret = load_pipes(r, err);
	if (ret < 0)
		return ret;
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
	ret = reg_file_open(r, tape, reg, reg->entry->reg->flags & ~(uint32_t)O_ASYNC, &slot, err);
	if (ret < 0)
		return ret;
	ret = load_pipes(r, err);
	if (ret < 0)
		return ret;
	if (first)
		tape_content(&r->pipes->fifos, tape, fifo->pipe_id, tape_slot(helper), false);
	file->staging = fd_stage(r, err);
	if (file->staging < 0)
		return file->staging;
	fd_tape_stage(tape, slot, file->staging);
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(helper)), "closing the FIFO's other end");
	return 0;
}
