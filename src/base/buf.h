/*
 * buf: a growing run of bytes, also used as a growing string.
 *
 * `data` is NULL while nothing was added, else it has a zero byte behind its
 * `len` bytes. Adding remembers a failure (out of memory) in `failed`: add
 * as much as you like and check once with buf_ok().
 */
#pragma once

#include <stdbool.h>
#include <stdlib.h>

struct buf {
	char *data;
	size_t len;
	size_t size; /* allocated */
	bool failed;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		.data = NULL                                                                       \
	}

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_adds(struct buf *buf, const char *s);
void buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *buf_grow(struct buf *buf, size_t len); /* room for len more zeroed bytes; NULL on failure */
void buf_done(struct buf *buf);

static inline bool buf_ok(const struct buf *buf)
{
	return !buf->failed;
}

/* The string so far; "" while empty. Valid until the next addition. */
static inline const char *buf_str(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

#define cleanup_buf __attribute__((cleanup(buf_done)))
