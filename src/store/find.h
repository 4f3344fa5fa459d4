/*
 * find: from what people type to an entry of the index.
 */
#pragma once

#include <stdbool.h>

struct error;
struct index;
struct index_entry;

/*
 * *ret_by_name (NULL: not asked): it was found by a name that is the entry's
 * own, not by an id or a digest. -ENOENT: "NAME: image not known". -ENOTUNIQ.
 */
int find_entry(const struct index *index, const char *typed, const struct index_entry **ret_entry,
	       bool *ret_by_name, struct error *err);
