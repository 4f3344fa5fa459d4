/*
 * statistics: what --print-stats prints in place of names.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct checkpoint_result;
struct error;

struct statistics {
	const char *whole;   /* key of the whole command's duration */
	const char *runtime; /* key of the runtime's share */
	json_t *list;	     /* NULL: not wanted */
	uint64_t begin_ns;
};

/* -ENOMEM. Without `wanted` the other two do nothing. */
int statistics_begin(struct statistics *s, bool wanted);

/* Takes a reference of its own to the result's statistics. */
int statistics_add(struct statistics *s, const char *id, const struct checkpoint_result *result,
		   struct error *err);

/* Prints them, and passes the exit code on. */
int statistics_end(struct statistics *s, int exit_code);
