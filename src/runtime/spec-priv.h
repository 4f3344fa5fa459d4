/*
 * spec-priv: the parsers of config.json's parts, one file each.
 */
#pragma once

#include "runtime/spec.h"

int spec_parse_linux(const json_t *json, struct arena *arena, struct spec_linux *ret,
		     struct error *err);
int spec_parse_hooks(const json_t *json, struct arena *arena, struct spec_hooks *ret,
		     struct error *err);

/* The array at `key` as objects: calls `parse` for each with its place ("mounts[2]"). */
struct spec_list {
	json_t *array; /* NULL: absent */
	size_t n;
	void *items; /* zeroed, n of them */
};
int spec_list_open(const json_t *object, const char *place, const char *key, struct arena *arena,
		   size_t item_size, struct spec_list *ret, struct error *err);
/* Item i, checked to be an object; its place is written to `place`. */
int spec_list_item(const struct spec_list *list, const char *outer, const char *key, size_t i,
		   char *place, size_t place_size, const json_t **ret, struct error *err);

/* A number that must fit 32 bits. 1 there, 0 absent. */
int spec_field_u32(const json_t *object, const char *place, const char *key, uint32_t *ret,
		   struct error *err);

/* "place.key" is missing or empty. */
int spec_missing(const char *place, const char *key, struct error *err);
