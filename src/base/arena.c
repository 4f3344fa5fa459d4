#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE ((size_t)32 * 1024)
#define ALIGNMENT (sizeof(max_align_t) > 16 ? sizeof(max_align_t) : (size_t)16)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data */
	size_t used;
	_Alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){ .limit = limit };
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunks;
	size_t room;
	void *p;

	if (size > SIZE_MAX / 2) {
		arena->failed = true;
		return NULL;
	}
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (!size)
		size = ALIGNMENT;

	if (!chunk || chunk->size - chunk->used < size) {
		room = size > CHUNK_SIZE / 4 ? size : CHUNK_SIZE;
		if (arena->limit && (room > arena->limit || arena->used > arena->limit - room))
			chunk = NULL;
		else
			chunk = calloc(1, sizeof(*chunk) + room);
		if (!chunk) {
			arena->failed = true;
			return NULL;
		}
		arena->used += room;
		chunk->size = room;
		/* A big object gets a chunk of its own, behind the one that still has room. */
		if (room == size && arena->chunks) {
			chunk->next = arena->chunks->next;
			arena->chunks->next = chunk;
		} else {
			chunk->next = arena->chunks;
			arena->chunks = chunk;
		}
	}

	p = chunk->data + chunk->used;
	chunk->used += size;
	return p;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		arena->failed = true;
		return NULL;
	}
	return arena_alloc(arena, bytes);
}

void *arena_memdup(struct arena *arena, const void *data, size_t size)
{
	void *p = arena_alloc(arena, size);

	if (p && size)
		memcpy(p, data, size);
	return p;
}

char *arena_strndup(struct arena *arena, const char *s, size_t max)
{
	size_t len = strnlen(s, max);
	char *p = arena_alloc(arena, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, SIZE_MAX / 4);
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0) {
		arena->failed = true;
		return NULL;
	}

	p = arena_alloc(arena, (size_t)len + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)len + 1, fmt, ap); /* the length is known to fit */
	va_end(ap);
	return p;
}

void arena_done(struct arena *arena)
{
	struct arena_chunk *next;

	for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	arena->chunks = NULL;
	arena->used = 0;
	arena->failed = false;
}
