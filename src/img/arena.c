#include "img/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define BLOCK_MIN ((size_t)16 << 10)
#define BLOCK_MAX ((size_t)1 << 20)

struct arena_block {
	struct arena_block *prev;
	size_t size; /* of data */
	size_t used;
	alignas(max_align_t) char data[];
};

static void *arena_alloc_pb(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void arena_free_pb(void *arena UNUSED, void *data UNUSED)
{
}

void arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){
		.limit = limit,
		.allocator = { .alloc = arena_alloc_pb,
			       .free = arena_free_pb,
			       .allocator_data = arena },
	};
}

void arena_done(struct arena *arena)
{
	struct arena_block *block = arena->last;

	while (block) {
		struct arena_block *prev = block->prev;

		free(block);
		block = prev;
	}
	arena->last = NULL;
	arena->used = 0;
}

/* Blocks double, so that small images cost little and large ones few calls. */
static struct arena_block *add_block(struct arena *arena, size_t size)
{
	size_t room = arena->last ? arena->last->size * 2 : BLOCK_MIN;
	size_t left = arena->limit - arena->used;
	struct arena_block *block;

	if (room > BLOCK_MAX)
		room = BLOCK_MAX;
	if (room < size)
		room = size;
	if (room > left)
		room = left;
	if (room < size)
		return NULL;
	block = malloc(sizeof(*block) + room);
	if (!block)
		return NULL;
	*block = (struct arena_block){ .prev = arena->last, .size = room };
	arena->last = block;
	arena->used += room;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->last;
	void *data;

	if (size > SIZE_MAX - alignof(max_align_t))
		return NULL;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (size == 0)
		size = alignof(max_align_t);
	if (!block || block->size - block->used < size) {
		block = add_block(arena, size);
		if (!block) {
			arena->exhausted = true;
			return NULL;
		}
	}
	data = block->data + block->used;
	block->used += size;
	return data;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *data = arena_alloc(arena, size);

	return data ? memset(data, 0, size) : NULL;
}

void *arena_memdup(struct arena *arena, const void *data, size_t size)
{
	void *copy = arena_alloc(arena, size);

	if (copy && size > 0)
		memcpy(copy, data, size);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_memdup(arena, s, strlen(s) + 1);
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_zalloc(arena, bytes);
}
