#include "img/image.h"

#include <assert.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "img/wire.h"

#define IMG_BUF_SIZE ((size_t)32 << 10)

void image_done(struct image *image)
{
	if (!image->lent)
		cleanup_fd_p(&image->fd);
	free(image->buf);
	free(image->record);
	*image = (struct image)IMAGE_INIT;
}

/* ---- writing ---- */

static int begin(struct image *image, enum img_kind kind, uint64_t id, struct error *err)
{
	assert(image->fd < 0);
	image->kind = kind;
	image->writing = true;
	img_kind_file_name(kind, id, image->name);
	image->buf = malloc(IMG_BUF_SIZE);
	return image->buf ? 0 : err_oom(err);
}

static int write_magic(struct image *image, struct error *err)
{
	const struct img_kind_info *info = img_kind_info(image->kind);
	uint32_t magic[2] = { htole32(info->first_magic), htole32(info->magic) };
	int r = 0;

	if (info->magic && info->first_magic)
		r = image_write_raw(image, magic, sizeof(magic), err);
	else if (info->magic)
		r = image_write_raw(image, &magic[1], sizeof(magic[1]), err);
	if (r < 0)
		image_done(image);
	return r;
}

int image_create(struct image *image, int dirfd, enum img_kind kind, uint64_t id, struct error *err)
{
	int r = begin(image, kind, id, err);

	if (r < 0)
		return r;
	image->fd = openat(dirfd, image->name,
			   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (image->fd < 0) {
		r = err_sys(err, "create image '%s'", image->name);
		image_done(image);
		return r;
	}
	return write_magic(image, err);
}

int image_create_on(struct image *image, int fd, enum img_kind kind, uint64_t id, struct error *err)
{
	int r = begin(image, kind, id, err);

	if (r < 0)
		return r;
	image->fd = fd;
	image->lent = true;
	return write_magic(image, err);
}

int image_flush(struct image *image, struct error *err)
{
	int r = fd_write_all(image->fd, image->buf, image->buf_used);

	if (r < 0) {
		errno = -r;
		return err_sys(err, "write image '%s'", image->name);
	}
	image->buf_used = 0;
	return 0;
}

void image_moved(struct image *image, uint64_t len)
{
	image->offset += len;
}

int image_write_raw(struct image *image, const void *data, size_t len, struct error *err)
{
	int r;

	assert(image->writing);
	if (len > IMG_BUF_SIZE - image->buf_used) {
		r = image_flush(image, err);
		if (r < 0)
			return r;
	}
	if (len >= IMG_BUF_SIZE) {
		r = fd_write_all(image->fd, data, len);
		if (r < 0) {
			errno = -r;
			return err_sys(err, "write image '%s'", image->name);
		}
	} else if (len > 0) {
		memcpy(image->buf + image->buf_used, data, len);
		image->buf_used += len;
	}
	image->offset += len;
	return 0;
}

static int reserve_record(struct image *image, size_t len, struct error *err)
{
	uint8_t *record;

	if (len <= image->record_max)
		return 0;
	record = realloc(image->record, len);
	if (!record)
		return err_oom(err);
	image->record = record;
	image->record_max = len;
	return 0;
}

int image_write_nested(struct image *image, const ProtobufCMessage *message, struct error *err)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint32_t size = htole32((uint32_t)len);
	int r;

	if (len > IMG_RECORD_MAX)
		return err_set(err, -EFBIG, "image '%s': record %zu has %zu bytes", image->name,
			       image->index, len);
	r = reserve_record(image, len, err);
	if (r < 0)
		return r;
	(void)protobuf_c_message_pack(message, image->record); /* the size is known to fit */
	r = image_write_raw(image, &size, sizeof(size), err);
	if (r < 0)
		return r;
	return image_write_raw(image, image->record, len, err);
}

static const ProtobufCMessageDescriptor *record_type(const struct image *image)
{
	const struct img_kind_info *info = img_kind_info(image->kind);

	return image->index > 0 && info->rest ? info->rest : info->record;
}

int image_write(struct image *image, const ProtobufCMessage *message, struct error *err)
{
	int r;

	assert(message->descriptor == record_type(image));
	r = image_write_nested(image, message, err);
	if (r == 0)
		image->index++;
	return r;
}

int image_finish(struct image *image, struct error *err)
{
	int r = image_flush(image, err);

	if (!image->lent && close(take_fd(&image->fd)) < 0 && r == 0)
		r = err_sys(err, "close image '%s'", image->name);
	image_done(image);
	return r;
}

/* ---- reading ---- */

static int damaged(const struct image *image, uint64_t offset, const char *what, struct error *err)
{
	return err_set(err, -EBADMSG, "image '%s': record %zu at offset %" PRIu64 ": %s",
		       image->name, image->index, offset, what);
}

uint64_t image_left(const struct image *image)
{
	return image->size - image->offset;
}

/* At least one more byte into the empty buffer. */
static int fill(struct image *image, struct error *err)
{
	ssize_t n;

	do
		n = pread(image->fd, image->buf, IMG_BUF_SIZE, (off_t)image->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read image '%s'", image->name);
	if (n == 0)
		return err_set(err, -EBADMSG, "image '%s': became shorter while being read",
			       image->name);
	image->buf_used = (size_t)n;
	image->buf_at = 0;
	return 0;
}

/* The caller has compared len with image_left(). */
static int read_bytes(struct image *image, void *data, size_t len, struct error *err)
{
	char *to = data;

	while (len > 0) {
		size_t n = image->buf_used - image->buf_at;
		int r;

		if (n == 0 && len >= IMG_BUF_SIZE) {
			r = fd_pread_all(image->fd, to, len, image->offset);
			if (r < 0) {
				errno = -r;
				return err_sys(err, "read image '%s'", image->name);
			}
			image->offset += len;
			return 0;
		}
		if (n == 0) {
			r = fill(image, err);
			if (r < 0)
				return r;
			continue;
		}
		if (n > len)
			n = len;
		memcpy(to, image->buf + image->buf_at, n);
		image->buf_at += n;
		image->offset += n;
		to += n;
		len -= n;
	}
	return 0;
}

static int read_magic(struct image *image, struct error *err)
{
	const struct img_kind_info *info = img_kind_info(image->kind);
	uint32_t magic[2] = { 0 };
	size_t words = info->first_magic ? 2 : 1;
	int r;

	if (!info->magic || image->size == 0)
		return 0;
	if (image->size < words * sizeof(magic[0]))
		return err_set(err, -EBADMSG, "image '%s': %" PRIu64 " bytes are too few",
			       image->name, image->size);
	r = read_bytes(image, magic, words * sizeof(magic[0]), err);
	if (r < 0)
		return r;
	magic[0] = le32toh(magic[0]);
	magic[1] = le32toh(magic[1]);
	if (words == 2 ? magic[0] == info->first_magic && magic[1] == info->magic
		       : magic[0] == info->magic)
		return 0;
	return err_set(err, -EBADMSG, "image '%s': is not a %s image (magic %#x %#x)", image->name,
		       info->name, magic[0], words == 2 ? magic[1] : 0);
}

/* Takes the opened file over; image->kind is still to be found. */
static int begin_reading(struct image *image, int fd, const char *name, struct error *err)
{
	size_t len = strlen(name);
	struct stat st;

	assert(image->fd < 0);
	image->fd = fd;
	/* Of a long path the end says most. */
	(void)snprintf(image->name, sizeof(image->name), "%s",
		       len < sizeof(image->name) ? name : name + len - sizeof(image->name) + 1);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "look at image '%s'", image->name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "image '%s': is not a regular file", image->name);
	image->size = (uint64_t)st.st_size;
	image->buf = malloc(IMG_BUF_SIZE);
	return image->buf ? 0 : err_oom(err);
}

static int open_file(int dirfd, const char *name, struct error *err)
{
	/* Not to wait for the other end, should somebody have put a FIFO here. */
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? err_sys(err, "open image '%s'", name) : fd;
}

int image_open_name(struct image *image, int dirfd, const char *name, enum img_kind kind,
		    struct error *err)
{
	int fd = open_file(dirfd, name, err);
	int r;

	if (fd < 0)
		return fd;
	r = begin_reading(image, fd, name, err);
	if (r == 0) {
		image->kind = kind;
		r = read_magic(image, err);
	}
	if (r < 0)
		image_done(image);
	return r;
}

/* Looks at the first words without moving on. */
static int find_kind(struct image *image, struct error *err)
{
	uint32_t magic[2] = { 0 };
	ssize_t n = pread(image->fd, magic, sizeof(magic), 0);

	if (n < 0)
		return err_sys(err, "read image '%s'", image->name);
	if ((size_t)n < sizeof(magic[0]) ||
	    !img_kind_of_magic(le32toh(magic[0]), le32toh(magic[1]), &image->kind))
		return err_set(err, -EBADMSG, "image '%s': is no image with records", image->name);
	return 0;
}

int image_open_any_take(struct image *image, int fd, const char *name, struct error *err)
{
	int r = begin_reading(image, fd, name, err);

	if (r == 0)
		r = find_kind(image, err);
	if (r == 0)
		r = read_magic(image, err);
	if (r < 0)
		image_done(image);
	return r;
}

int image_open_any(struct image *image, int dirfd, const char *name, struct error *err)
{
	int fd = open_file(dirfd, name, err);

	return fd < 0 ? fd : image_open_any_take(image, fd, name, err);
}

int image_open(struct image *image, int dirfd, enum img_kind kind, uint64_t id, struct error *err)
{
	char name[IMG_NAME_MAX];

	img_kind_file_name(kind, id, name);
	return image_open_name(image, dirfd, name, kind, err);
}

/* A record lives and dies with the arena: nothing of it is freed alone. */
static void *arena_alloc_pb(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void arena_free_pb(void *arena UNUSED, void *data UNUSED)
{
}

static int read_record(struct image *image, const ProtobufCMessageDescriptor *type,
		       struct arena *arena, void *ret_message, struct error *err)
{
	uint64_t start = image->offset;
	ProtobufCAllocator allocator;
	ProtobufCMessage *message;
	uint32_t size;
	int r;

	if (image_left(image) < sizeof(size))
		return damaged(image, start, "its size is cut off", err);
	r = read_bytes(image, &size, sizeof(size), err);
	if (r < 0)
		return r;
	size = le32toh(size);
	if (size > IMG_RECORD_MAX || size > image_left(image))
		return err_set(err, -EBADMSG,
			       "image '%s': record %zu at offset %" PRIu64
			       ": says %u bytes, %" PRIu64 " are there",
			       image->name, image->index, start, size, image_left(image));
	r = reserve_record(image, size, err);
	if (r < 0)
		return r;
	r = read_bytes(image, image->record, size, err);
	if (r < 0)
		return r;
	if (!wire_depth_ok(type, image->record, size))
		return damaged(image, start, "is not a protobuf message", err);
	allocator = (ProtobufCAllocator){ .alloc = arena_alloc_pb,
					  .free = arena_free_pb,
					  .allocator_data = arena };
	message = protobuf_c_message_unpack(type, &allocator, size, image->record);
	if (!message) {
		if (!arena_ok(arena))
			return err_set(err, -ENOMEM,
				       "image '%s': no memory to decode it (limit %zu bytes)",
				       image->name, arena->limit);
		return err_set(err, -EBADMSG,
			       "image '%s': record %zu at offset %" PRIu64 ": is not a %s",
			       image->name, image->index, start, type->name);
	}
	*(void **)ret_message = message;
	return 0;
}

int image_read(struct image *image, struct arena *arena, void *ret_message, struct error *err)
{
	uint64_t start;
	ProtobufCMessage *message = NULL;
	uint64_t extra;
	int r;

	assert(!image->writing && img_kind_info(image->kind)->record);
	r = image_skip_raw(image, image->extra, err);
	if (r < 0)
		return r;
	if (image_left(image) == 0)
		return 0;
	start = image->offset;
	r = read_record(image, record_type(image), arena, &message, err);
	if (r < 0)
		return r;
	extra = img_kind_extra_size(image->kind, image->index, message);
	if (extra == UINT64_MAX)
		extra = image_left(image);
	if (extra > image_left(image))
		return err_set(err, -EBADMSG,
			       "image '%s': record %zu at offset %" PRIu64 ": %" PRIu64
			       " bytes of data should follow, %" PRIu64 " are there",
			       image->name, image->index, start, extra, image_left(image));
	image->extra = extra;
	image->index++;
	*(void **)ret_message = message;
	return 1;
}

int image_read_nested(struct image *image, const ProtobufCMessageDescriptor *type,
		      struct arena *arena, void *ret_message, struct error *err)
{
	return read_record(image, type, arena, ret_message, err);
}

static int check_left(struct image *image, uint64_t len, struct error *err)
{
	if (len <= image_left(image))
		return 0;
	return err_set(err, -EBADMSG,
		       "image '%s': %" PRIu64 " bytes of data wanted at offset %" PRIu64
		       ", %" PRIu64 " are there",
		       image->name, len, image->offset, image_left(image));
}

static void took_extra(struct image *image, uint64_t len)
{
	image->extra -= len < image->extra ? len : image->extra;
}

int image_read_raw(struct image *image, void *data, size_t len, struct error *err)
{
	int r = check_left(image, len, err);

	if (r < 0)
		return r;
	r = read_bytes(image, data, len, err);
	if (r == 0)
		took_extra(image, len);
	return r;
}

int image_skip_raw(struct image *image, uint64_t len, struct error *err)
{
	size_t ahead = image->buf_used - image->buf_at;
	int r = check_left(image, len, err);

	if (r < 0)
		return r;
	if (len < ahead)
		image->buf_at += (size_t)len;
	else
		image->buf_used = image->buf_at = 0;
	image->offset += len;
	took_extra(image, len);
	return 0;
}

/* ---- whole files ---- */

int image_write_one(int dirfd, enum img_kind kind, uint64_t id, const ProtobufCMessage *message,
		    struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int r;

	r = image_create(&image, dirfd, kind, id, err);
	if (r < 0)
		return r;
	r = image_write(&image, message, err);
	if (r < 0)
		return r;
	return image_finish(&image, err);
}

int image_read_one(int dirfd, enum img_kind kind, uint64_t id, struct arena *arena,
		   void *ret_message, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	void *message = NULL;
	int r;

	r = image_open(&image, dirfd, kind, id, err);
	if (r < 0)
		return r;
	r = image_read(&image, arena, &message, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, -EBADMSG, "image '%s': has no record", image.name);
	if (image_left(&image) > image.extra)
		return err_set(err, -EBADMSG, "image '%s': has more than one record", image.name);
	*(void **)ret_message = message;
	return 0;
}

int image_read_all(int dirfd, enum img_kind kind, uint64_t id, struct arena *arena,
		   void *ret_messages, size_t *ret_n, struct error *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free void **messages = NULL;
	void **kept;
	size_t n = 0;
	size_t room = 0;
	int r;

	r = image_open(&image, dirfd, kind, id, err);
	if (r < 0)
		return r;
	for (;;) {
		if (n == room) {
			void *grown =
				reallocarray(messages, room ? room * 2 : 16, sizeof(*messages));

			if (!grown)
				return err_oom(err);
			messages = grown;
			room = room ? room * 2 : 16;
		}
		r = image_read(&image, arena, &messages[n], err);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		n++;
	}
	kept = arena_memdup(arena, messages, n * sizeof(*messages));
	if (!kept)
		return err_oom(err);
	*(void ***)ret_messages = kept;
	*ret_n = n;
	return 0;
}
