/*
 * pipe: both ends are descriptions of one inode; the inode's number is the
 * pipe's name in the images. What lies in it is copied with tee(2), which
 * takes nothing away: the target may live on and read it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-ids.h"
#include "img/pb/pipe-data.pb-c.h"

/* All of the pipe's bytes, left where they are, in a pipe of ours. */
static int copy(int fd, size_t size, int *ret_out, size_t *ret_len, struct error *err)
{
	cleanup_fd int in = -EBADF;
	cleanup_fd int out = -EBADF;
	int ends[2];
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, "make a pipe");
	out = ends[0];
	in = ends[1];
	/* tee(2) copies at most as many buffers as our pipe has. */
	if (fcntl(in, F_SETPIPE_SZ, (int)size) < 0)
		return err_sys(err, "make a pipe of %zu bytes", size);
	n = tee(fd, in, size, SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN)
		n = 0;
	if (n < 0)
		return err_sys(err, "copy its content");
	*ret_out = take_fd(&out);
	*ret_len = (size_t)n;
	return 0;
}

static int write_piece(struct image *image, const struct dump_fd *fd, uint32_t size,
		       const char *data, size_t len, struct error *err)
{
	PipeDataEntry entry = PIPE_DATA_ENTRY__INIT;
	int r;

	entry.pipe_id = (uint32_t)fd->look.st.st_ino;
	entry.bytes = (uint32_t)len;
	entry.has_size = true;
	entry.size = size;
	r = image_write(image, &entry.base, err);
	return r < 0 ? r : image_write_raw(image, data, len, err);
}

/*
 * What was written in packet mode (O_DIRECT) is read packet by packet, a copy of
 * it, too: a record each. All else comes in one piece.
 */
static int write_content(struct dump *dump, struct image *image, enum img_kind kind,
			 const struct dump_fd *fd, struct error *err)
{
	cleanup_free char *data = NULL;
	cleanup_fd int out = -EBADF;
	bool first = true;
	size_t left = 0;
	int size;
	int r;

	size = fcntl(fd->fd, F_GETPIPE_SZ);
	if (size < 0)
		return err_sys(err, "%s: size of the pipe", fd->look.where);
	r = copy(fd->fd, (size_t)size, &out, &left, err);
	if (r < 0)
		return err_wrap(err, r, "%s: pipe", fd->look.where);
	data = malloc(left + 1);
	if (!data)
		return err_oom(err);
	if (image->fd < 0)
		r = dump_image_create(dump, image, kind, 0, err);
	while (r == 0 && (first || left)) {
		ssize_t n = left ? read(out, data, left) : 0;

		if (n < 0 || (left && n == 0))
			return err_sys(err, "%s: pipe: copy its content", fd->look.where);
		r = write_piece(image, fd, (uint32_t)size, data, (size_t)n, err);
		left -= (size_t)n;
		first = false;
	}
	return r;
}

static int by_value(const void *a, const void *b)
{
	return *(const uint64_t *)a < *(const uint64_t *)b
		       ? -1
		       : *(const uint64_t *)a > *(const uint64_t *)b;
}

/*
 * 1: this pipe's content is still to be saved; 0: it was, or is not ours. What
 * lies in a pipe that only others read from (the log of a container) belongs
 * to them: they get it, and restoring it would show it twice.
 */
static int claim(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	uint64_t ino = fd->look.st.st_ino;
	uint64_t *key;
	void *found;

	if ((fd->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	key = arena_memdup(&dump->arena, &ino, sizeof(ino));
	found = key ? tsearch(key, &dump->pipes_seen, by_value) : NULL;
	if (!found)
		return err_oom(err);
	return *(uint64_t **)found == key;
}

int pipe_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	FileEntry file = FILE_ENTRY__INIT;
	PipeEntry entry = PIPE_ENTRY__INIT;
	int r;

	entry.id = fd->id;
	entry.pipe_id = (uint32_t)fd->look.st.st_ino;
	entry.flags = fd->flags;
	entry.fown = (FownEntry *)&fd->fown;
	file.type = FD_TYPES__PIPE;
	file.id = fd->id;
	file.pipe = &entry;
	r = image_write(&dump->files, &file.base, err);
	if (r < 0)
		return r;
	log_debug("%s: pipe %u, inode %u", fd->look.where, fd->id, entry.pipe_id);
	r = claim(dump, fd, err);
	if (r <= 0)
		return r;
	return write_content(dump, &dump->pipes, IMG_KIND_PIPES_DATA, fd, err);
}

int fifo_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	FileEntry file = FILE_ENTRY__INIT;
	FifoEntry entry = FIFO_ENTRY__INIT;
	struct dump_fd as_file = *fd;
	int r;

	/* The name is a file's record of its own, with the number behind this one. */
	as_file.id = file_ids_next(dump->file_ids);
	entry.id = fd->id;
	entry.pipe_id = (uint32_t)fd->look.st.st_ino;
	entry.has_regf_id = true;
	entry.regf_id = as_file.id;
	file.type = FD_TYPES__FIFO;
	file.id = fd->id;
	file.fifo = &entry;
	r = file_dump(dump, &as_file, err);
	if (r < 0)
		return r;
	r = image_write(&dump->files, &file.base, err);
	if (r < 0)
		return r;
	r = claim(dump, fd, err);
	if (r <= 0)
		return r;
	return write_content(dump, &dump->fifos, IMG_KIND_FIFO_DATA, fd, err);
}

static void keep(void *node UNUSED)
{
}

void pipes_done(struct dump *dump)
{
	tdestroy(dump->pipes_seen, keep);
	dump->pipes_seen = NULL;
}
