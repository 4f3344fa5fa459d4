/*
 * jsonw: JSON written as it comes, four blanks a level.
 *
 * Not jansson: its integers end at 2^63, and images hold full 64-bit numbers
 * (RLIM_INFINITY, auxiliary vectors) as well as data too large to be kept as a
 * tree. Write errors stay in the FILE: the caller checks ferror() at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct jsonw {
	FILE *out; /* borrowed */
	unsigned int depth;
	bool filled;	      /* the innermost array or object has a member already */
	bool after_key;	      /* the next value belongs to the key just written */
	unsigned int pending; /* bytes of an unfinished base64 group */
	unsigned char group[3];
	unsigned int column; /* characters in the present base64 line */
};

void jsonw_init(struct jsonw *json, FILE *out);

void jsonw_begin(struct jsonw *json, char bracket); /* '{' or '[' */
void jsonw_end(struct jsonw *json, char bracket);   /* '}' or ']' */
void jsonw_key(struct jsonw *json, const char *key);

void jsonw_uint(struct jsonw *json, uint64_t value);
void jsonw_int(struct jsonw *json, int64_t value);
void jsonw_bool(struct jsonw *json, bool value);

/* Bytes that are no UTF-8 become lone surrogates, U+DC80 and up, as Python reads and writes them.
 */
void jsonw_string(struct jsonw *json, const char *s, size_t len);
void jsonw_text(struct jsonw *json, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Bytes as a string of base64 lines of 76 characters, each ended by a newline. */
void jsonw_base64_begin(struct jsonw *json);
void jsonw_base64_add(struct jsonw *json, const void *data, size_t len);
void jsonw_base64_end(struct jsonw *json);
