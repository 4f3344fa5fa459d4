/*
 * external: the --external words of a dump or restore (include/cryo/external.h).
 *
 * "KIND[NAME]" or "KIND[NAME]:VALUE". The words are borrowed from the caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct error;

struct external {
	const char *word;  /* as given */
	const char *kind;  /* "mnt", "net", "pid", "file", "tty", "unix", "pipe", "dev" */
	const char *name;  /* between the brackets */
	const char *value; /* behind "]:", or NULL */
};

struct externals {
	struct external *items;
	size_t n;
};

int externals_parse(char *const *words, struct arena *arena, struct externals *ret,
		    struct error *err);

/* NULL: nothing of that kind and name was given. */
const struct external *externals_find(const struct externals *externals, const char *kind,
				      const char *name);
