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
#include "base/fd.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/file-ids.h"
#include "img/pb/pipe-data.pb-c.h"

/* All of the pipe's bytes, left where they are. */
static int peek(int fd, size_t size, char **ret_data, size_t *ret_len, struct error *err)
{
	cleanup_fd int in = -EBADF;
	cleanup_fd int out = -EBADF;
	cleanup_free char *data = NULL;
	int ends[2];
	ssize_t n;
	int r;

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
	data = malloc((size_t)n + 1);
	if (!data)
		return err_oom(err);
	r = fd_read_all(out, data, (size_t)n);
	if (r < 0)
		return err_set(err, r, "copy its content");
	*ret_data = take_ptr(&data);
	*ret_len = (size_t)n;
	return 0;
}

static int write_content(struct dump *dump, struct image *image, enum img_kind kind,
			 const struct dump_fd *fd, struct error *err)
{
	PipeDataEntry entry = PIPE_DATA_ENTRY__INIT;
	cleanup_free char *data = NULL;
	size_t len = 0;
	int size;
	int r;

	size = fcntl(fd->fd, F_GETPIPE_SZ);
	if (size < 0)
		return err_sys(err, "%s: size of the pipe", fd->look.where);
	r = peek(fd->fd, (size_t)size, &data, &len, err);
	if (r < 0)
		return err_wrap(err, r, "%s: pipe", fd->look.where);

	entry.pipe_id = (uint32_t)fd->look.st.st_ino;
	entry.bytes = (uint32_t)len;
	entry.has_size = true;
	entry.size = (uint32_t)size;
	if (image->fd < 0) {
		r = dump_image_create(dump, image, kind, 0, err);
		if (r < 0)
			return r;
	}
	r = image_write(image, &entry.base, err);
	if (r < 0)
		return r;
	return image_write_raw(image, data, len, err);
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

	if (fd->flags & O_DIRECT)
		return err_set(err, -EOPNOTSUPP,
			       "%s: pipe in packet mode (O_DIRECT): this version can't save it",
			       fd->look.where);
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
