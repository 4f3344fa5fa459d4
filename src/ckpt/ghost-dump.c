#include "ckpt/ghost.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "ckpt/userns.h"
#include "img/pb/ghost-file.pb-c.h"

#define COPY_SIZE ((size_t)256 << 10)

struct ghost {
	struct ghost *next;
	dev_t dev;
	ino_t ino;
};

struct dump_ghosts {
	struct ghost *first; /* newest; ids count down from n */
	uint32_t n;
};

/* The images keep times in microseconds. */
static Timeval timeval_of(const struct timespec *ts)
{
	Timeval tv = TIMEVAL__INIT;

	tv.tv_sec = (uint64_t)ts->tv_sec;
	tv.tv_usec = (uint64_t)ts->tv_nsec / 1000;
	return tv;
}

static int copy_range(struct image *image, int fd, uint64_t from, uint64_t to, struct error *err)
{
	cleanup_free char *buf = malloc(COPY_SIZE);
	ssize_t n;
	int r;

	if (!buf)
		return err_oom(err);
	while (from < to) {
		size_t want = to - from < COPY_SIZE ? (size_t)(to - from) : COPY_SIZE;

		n = pread(fd, buf, want, (off_t)from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read");
		if (n == 0)
			return err_set(err, -EBUSY, "it became shorter while it was read");
		r = image_write_raw(image, buf, (size_t)n, err);
		if (r < 0)
			return r;
		from += (uint64_t)n;
	}
	return 0;
}

/* Only what is not a hole: a record, then its bytes. */
static int copy_chunks(struct image *image, int fd, uint64_t size, struct error *err)
{
	GhostChunkEntry chunk = GHOST_CHUNK_ENTRY__INIT;
	off_t data = 0;
	off_t hole;
	int r;

	while ((uint64_t)data < size) {
		data = lseek(fd, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return 0; /* nothing but a hole to the end */
		hole = data < 0 ? data : lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(err, "find its data");
		chunk.off = (uint64_t)data;
		chunk.len = (uint64_t)(hole - data);
		r = image_write(image, &chunk.base, err);
		if (r < 0)
			return r;
		r = copy_range(image, fd, chunk.off, chunk.off + chunk.len, err);
		if (r < 0)
			return r;
		data = hole;
	}
	return 0;
}

static int write_content(struct image *image, int fd, const struct stat *st, bool chunks,
			 struct error *err)
{
	cleanup_fd int readable = -EBADF;
	char path[32];

	if (!S_ISREG(st->st_mode))
		return 0;
	/* The descriptor itself may be for writing only; its position is not ours to move. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* always fits */
	readable = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (readable < 0)
		return err_sys(err, "open it for reading");
	return chunks ? copy_chunks(image, readable, (uint64_t)st->st_size, err)
		      : copy_range(image, readable, 0, (uint64_t)st->st_size, err);
}

static int write_ghost(struct dump *dump, uint32_t id, int fd, const struct stat *st,
		       struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	GhostFileEntry entry = GHOST_FILE_ENTRY__INIT;
	Timeval atime = timeval_of(&st->st_atim);
	Timeval mtime = timeval_of(&st->st_mtim);
	char target[PATH_MAX];
	int r;

	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

		if (n < 0)
			return err_sys(err, "read link");
		target[n] = '\0';
		entry.symlnk_target = target;
	}
	entry.uid = userns_uid(dump, st->st_uid);
	entry.gid = userns_gid(dump, st->st_gid);
	entry.mode = st->st_mode;
	entry.has_dev = true;
	entry.dev = major(st->st_dev) << 20 | minor(st->st_dev);
	entry.has_ino = true;
	entry.ino = st->st_ino;
	entry.atim = &atime;
	entry.mtim = &mtime;
	if (S_ISCHR(st->st_mode)) {
		entry.has_rdev = true;
		entry.rdev = (uint32_t)st->st_rdev;
	}
	if (S_ISREG(st->st_mode) && (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size) {
		entry.has_chunks = true;
		entry.chunks = true;
		entry.has_size = true;
		entry.size = (uint64_t)st->st_size;
	}

	r = dump_image_create(dump, &image, IMG_KIND_GHOST_FILE, id, err);
	if (r < 0)
		return r;
	r = image_write(&image, &entry.base, err);
	if (r < 0)
		return r;
	r = write_content(&image, fd, st, entry.chunks, err);
	if (r < 0)
		return r;
	return image_finish(&image, err);
}

bool ghost_is_saved(const struct dump *dump, dev_t dev, ino_t ino)
{
	for (const struct ghost *g = dump->ghosts ? dump->ghosts->first : NULL; g; g = g->next)
		if (g->dev == dev && g->ino == ino)
			return true;
	return false;
}

int ghost_dump(struct dump *dump, int fd, const struct stat *st, uint32_t *ret_id,
	       struct error *err)
{
	struct ghost *ghost;
	uint32_t id;
	int r;

	if (!dump->ghosts) {
		dump->ghosts = arena_new(&dump->arena, struct dump_ghosts);
		if (!dump->ghosts)
			return err_oom(err);
	}
	id = dump->ghosts->n;
	for (ghost = dump->ghosts->first; ghost; ghost = ghost->next, id--) {
		if (ghost->dev == st->st_dev && ghost->ino == st->st_ino) {
			*ret_id = id;
			return 0;
		}
	}

	ghost = arena_new(&dump->arena, struct ghost);
	if (!ghost)
		return err_oom(err);
	ghost->dev = st->st_dev;
	ghost->ino = st->st_ino;
	id = dump->ghosts->n + 1;
	r = write_ghost(dump, id, fd, st, err);
	if (r < 0)
		return r;
	ghost->next = dump->ghosts->first;
	dump->ghosts->first = ghost;
	dump->ghosts->n = id;
	*ret_id = id;
	return 0;
}
