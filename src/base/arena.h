/*
 * arena: many small objects with one end.
 *
 * Nothing is freed singly; arena_done() frees all. Memory comes zeroed and
 * aligned for any object. Out of memory gives NULL and is remembered in
 * `failed`, so a run of allocations whose results are only stored may be
 * checked once. A limit keeps what is decoded from a hostile file within
 * bounds: reaching it is like being out of memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used;		    /* bytes of all chunks */
	size_t limit;		    /* never more than that; 0: no limit */
	bool failed;
};

#define ARENA_LIMIT ((size_t)1 << 30) /* what a caller without an own idea uses */

#define ARENA_INIT                                                                                 \
	{                                                                                          \
		.chunks = NULL                                                                     \
	}

void arena_init(struct arena *arena, size_t limit);
void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t n, size_t size); /* n * size, overflow checked */
void *arena_memdup(struct arena *arena, const void *data, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_strndup(struct arena *arena, const char *s, size_t max);
char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *arena);

static inline bool arena_ok(const struct arena *arena)
{
	return !arena->failed;
}

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_array(arena, type, n) ((type *)arena_array((arena), (n), sizeof(type)))
#define cleanup_arena __attribute__((cleanup(arena_done)))
