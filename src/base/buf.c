#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool reserve(struct buf *buf, size_t more)
{
	size_t want;
	size_t size = buf->size ? buf->size : 64;
	char *data;

	if (buf->failed || __builtin_add_overflow(buf->len, more + 1, &want)) {
		buf->failed = true;
		return false;
	}
	if (want <= buf->size)
		return true;
	while (size < want)
		size *= 2;
	data = realloc(buf->data, size);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->size = size;
	return true;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (!reserve(buf, len))
		return;
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_adds(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(buf, (size_t)n)) {
		buf->failed = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap); /* measured above */
	va_end(ap);
	buf->len += (size_t)n;
}

void *buf_grow(struct buf *buf, size_t len)
{
	void *room;

	if (!reserve(buf, len))
		return NULL;
	room = buf->data + buf->len;
	memset(room, 0, len + 1);
	buf->len += len;
	return room;
}

void buf_done(struct buf *buf)
{
	int saved = errno;

	free(buf->data);
	*buf = (struct buf)BUF_INIT;
	errno = saved;
}
