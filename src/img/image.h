/*
 * image: one image file, written or read record by record.
 *
 *	u32 first magic   IMG_COMMON_MAGIC or IMG_SERVICE_MAGIC (inventory.img has none)
 *	u32 magic         says what the records are (img/kind.h)
 *	{ u32 size, size bytes of protobuf, extra bytes where the kind has them } ...
 *
 * Numbers are little-endian. Raw kinds (pages, tmpfs) have no magic and no
 * records. A file of zero length is an image without records: CRIU leaves such
 * files behind where it had nothing to say, and so are they read here.
 *
 * Writing:
 *	cleanup_image struct image image = IMAGE_INIT;
 *	r = image_create(&image, dirfd, IMG_KIND_PIPES_DATA, 0, err);
 *	r = image_write(&image, &entry.base, err);
 *	r = image_write_raw(&image, bytes, n, err);
 *	r = image_finish(&image, err);          // what is not finished is not written
 * Reading:
 *	r = image_open(&image, dirfd, IMG_KIND_PIPES_DATA, 0, err);
 *	while ((r = image_read(&image, &arena, &entry, err)) > 0)
 *		r = image_read_raw(&image, bytes, entry->bytes, err);
 * Extra bytes the reader did not ask for are skipped by the next image_read().
 *
 * Errors name the file; -EBADMSG also the record's index and its offset.
 */
#pragma once

#include <errno.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "img/kind.h"

struct error;

#define IMG_RECORD_MAX ((uint32_t)256 << 20) /* bytes of one record; more is damage */

struct image {
	enum img_kind kind;
	int fd;			 /* -EBADF while closed */
	char name[IMG_NAME_MAX]; /* of the file, for messages */
	bool writing;
	bool lent;	   /* fd is the creator's to close */
	uint64_t size;	   /* reading: of the file */
	uint64_t offset;   /* of the next byte to be read or written */
	size_t index;	   /* records read or written so far */
	uint64_t extra;	   /* reading: bytes of the last record's extra not read yet */
	char *buf;	   /* IMG_BUF_SIZE bytes: not written yet, or read ahead */
	size_t buf_used;   /* bytes in buf */
	size_t buf_at;	   /* reading: of these already handed out */
	uint8_t *record;   /* the last record's encoded bytes, reused */
	size_t record_max; /* allocated for it */
};

#define IMAGE_INIT                                                                                 \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

/* A new file, mode 0600, in the place of an old one. */
int image_create(struct image *image, int dirfd, enum img_kind kind, uint64_t id,
		 struct error *err);

/* The same in an empty file that is open already, and stays open: closing a file takes about as
 * long as writing a small one, and who writes many may have a better time for it. What it costs: an
 * error that a file system tells on close only (NFS) is not seen. */
int image_create_on(struct image *image, int fd, enum img_kind kind, uint64_t id,
		    struct error *err);

/* Appends one record; the message must be of the kind's type. */
int image_write(struct image *image, const ProtobufCMessage *message, struct error *err);

/* A record inside another's extra bytes (ipc_msg), of any type. */
int image_write_nested(struct image *image, const ProtobufCMessage *message, struct error *err);

int image_write_raw(struct image *image, const void *data, size_t len, struct error *err);

/* What was written so far reaches the file; the descriptor may then be written
 * to directly (splice), if image_moved() says how much was added. */
int image_flush(struct image *image, struct error *err);
void image_moved(struct image *image, uint64_t len);

/* The last bytes are written and the file closed: only now the image is complete. */
int image_finish(struct image *image, struct error *err);

/* -ENOENT: no such file. -EBADMSG: it is not an image of that kind. */
int image_open(struct image *image, int dirfd, enum img_kind kind, uint64_t id, struct error *err);

/* The same for a name that is not derived from kind and id. */
int image_open_name(struct image *image, int dirfd, const char *name, enum img_kind kind,
		    struct error *err);

/* The kind is the one that the file's magic words name. -EBADMSG also for raw files. */
int image_open_any(struct image *image, int dirfd, const char *name, struct error *err);

/* The same for a file that is open already; `fd` is taken over, also on failure. */
int image_open_any_take(struct image *image, int fd, const char *name, struct error *err);

/*
 * 1: *ret_message (a pointer to the generated type, in the arena) is the next
 * record; 0: there are no more; negative: failure.
 */
int image_read(struct image *image, struct arena *arena, void *ret_message, struct error *err);

/* A record inside another's extra bytes; always there, else -EBADMSG. */
int image_read_nested(struct image *image, const ProtobufCMessageDescriptor *type,
		      struct arena *arena, void *ret_message, struct error *err);

/* Extra bytes of the last record; also whole raw files. Fewer left is -EBADMSG. */
int image_read_raw(struct image *image, void *data, size_t len, struct error *err);
int image_skip_raw(struct image *image, uint64_t len, struct error *err);

/* Bytes between here and the end of the file. */
uint64_t image_left(const struct image *image);

/* Closes and frees; an unfinished write is abandoned. */
void image_done(struct image *image);

#define cleanup_image __attribute__((cleanup(image_done)))

/* Whole files that hold exactly one record (core, mm, fs, inventory, ...). */
int image_write_one(int dirfd, enum img_kind kind, uint64_t id, const ProtobufCMessage *message,
		    struct error *err);
int image_read_one(int dirfd, enum img_kind kind, uint64_t id, struct arena *arena,
		   void *ret_message, struct error *err);

/*
 * All records of a kind without extra bytes, as an array of pointers in the
 * arena (`ret_messages` points to e.g. a PstreeEntry **). An absent file is -ENOENT.
 */
int image_read_all(int dirfd, enum img_kind kind, uint64_t id, struct arena *arena,
		   void *ret_messages, size_t *ret_n, struct error *err);
