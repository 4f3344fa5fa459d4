/*
 * json: documents that others wrote, read field by field.
 *
 * Parsing is jansson's, with a bound on the size. The field readers check
 * the type and word the complaint: "process.cwd: expected a string, found a
 * number". `place` is where the object stands ("process", "" for the root).
 * They return 1 when the field is there, 0 when it is absent or null (the
 * result is untouched then), or -EBADMSG.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct arena;
struct error;

static inline void cleanup_json_p(json_t **json)
{
	json_decref(*json); /* takes NULL */
}
#define cleanup_json __attribute__((cleanup(cleanup_json_p)))

/*
 * `name` is for the complaint only. Integers beyond 63 bits (RLIM_INFINITY is
 * written as 2^64-1) are accepted: json_field_uint() gives UINT64_MAX.
 */
int json_parse(const char *name, const char *text, size_t len, json_t **ret, struct error *err);
int json_read_at(int dirfd, const char *name, size_t max, json_t **ret, struct error *err);

/* Compact, or indented with `indent` blanks, with a newline at the end. The caller's. */
int json_format(const json_t *json, int indent, char **ret, struct error *err);

int json_field_string(const json_t *object, const char *place, const char *key, const char **ret,
		      struct error *err);
int json_field_bool(const json_t *object, const char *place, const char *key, bool *ret,
		    struct error *err);
int json_field_int(const json_t *object, const char *place, const char *key, int64_t *ret,
		   struct error *err);
int json_field_uint(const json_t *object, const char *place, const char *key, uint64_t *ret,
		    struct error *err);
int json_field_object(const json_t *object, const char *place, const char *key, json_t **ret,
		      struct error *err);
int json_field_array(const json_t *object, const char *place, const char *key, json_t **ret,
		     struct error *err);

/* An array of strings as a NULL-terminated vector in the arena; the strings stay the document's. */
int json_field_strings(const json_t *object, const char *place, const char *key,
		       struct arena *arena, char ***ret, size_t *ret_n, struct error *err);
