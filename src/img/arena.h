/*
 * arena: memory for decoded records, freed all at once, never more than a limit.
 *
 * A record decoded into an arena lives until arena_done(); nothing of it is
 * freed alone (xxx__free_unpacked() must not be called on it). The limit keeps
 * a hostile image, whose few bytes may ask for much memory, within bounds.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#define ARENA_LIMIT ((size_t)1 << 30) /* what a caller without an own idea uses */

struct arena_block;

struct arena {
	struct arena_block *last;
	size_t used;		      /* bytes of all blocks */
	size_t limit;		      /* never above */
	bool exhausted;		      /* an allocation failed */
	ProtobufCAllocator allocator; /* for protobuf-c: allocates here, frees nothing */
};

/* `arena` must stay where it is: its allocator points back to it. */
void arena_init(struct arena *arena, size_t limit);
void arena_done(struct arena *arena);

/* Aligned for any type, not zeroed; NULL when memory or the limit is exhausted. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
void *arena_memdup(struct arena *arena, const void *data, size_t size);
char *arena_strdup(struct arena *arena, const char *s);

/* A zeroed array of n elements; NULL also when n * size overflows. */
void *arena_array(struct arena *arena, size_t n, size_t size);

#define cleanup_arena __attribute__((cleanup(arena_done)))
