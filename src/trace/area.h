/*
 * area: planning the region that a player works in (pie/abi.h).
 *
 * A plan grows in our memory: data first (each addition returns its offset in
 * the area, final from then on), tapes beside it. area_seal() ends the
 * planning and fixes the layout; area_write() then produces the bytes, for a
 * shared mapping that a restored tree plays, or for the memory of a target.
 *
 * Additions can't fail one by one: running out of memory is remembered and
 * told by area_seal(). Offsets returned after a failure are 0 and harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "pie/abi.h"

struct error;
struct tape;

#define AREA_STACK_SIZE 8192 /* per tape, unless the tape says otherwise */

struct area {
	struct buf data; /* begins with room for struct pie_area */
	struct tape **tapes;
	size_t n_tapes;
	bool failed;
	/* From area_seal() on: */
	uint64_t size;	    /* whole area, whole pages */
	uint64_t image_len; /* bytes before the stacks: what has to be written */
	uint64_t tapes_at;
	uint64_t player_at;
};

int area_init(struct area *area, struct error *err);
void area_done(struct area *area);

/* Zeroed room for `len` bytes; `align` is a power of two up to 4096. */
uint64_t area_alloc(struct area *area, size_t len, size_t align);
/* A copy of those bytes, 8-aligned. */
uint64_t area_add(struct area *area, const void *data, size_t len);
uint64_t area_add_string(struct area *area, const char *s);
/* A zero word for BARRIER and POST. */
uint64_t area_add_word(struct area *area);

/* The planned bytes at an offset, to be read or changed; valid until the next addition.
 * NULL after a failure. */
void *area_data(struct area *area, uint64_t offset);

/*
 * A new tape, owned by the area. `task` is the number it has in messages
 * ("task 7: ..."); the name says its purpose ("build", "become"). NULL when
 * out of memory, which all tape functions accept.
 */
struct tape *area_add_tape(struct area *area, uint32_t task, const char *name);

/* No additions after this. -E2BIG: more than the layout can hold. */
int area_seal(struct area *area, struct error *err);

/* The area->image_len first bytes; the rest of the area must be zero. */
void area_write(const struct area *area, void *dst);

/*
 * What a player in `live` (the area as it is now, or a copy of its image)
 * failed at. 0: no fault; else the negative errno, with the text
 * "task 7: LABEL: mmap: No such file or directory". -EPROTO: an unexpected result
 * that is no errno.
 */
int area_fault(const struct area *area, const struct pie_area *live, struct error *err);

/* All tapes in words, one entry a line. */
void area_explain(const struct area *area, struct buf *out);

#define cleanup_area __attribute__((cleanup(area_done)))
