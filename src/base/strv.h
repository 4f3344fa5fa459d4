/*
 * strv: a growing, NULL-terminated vector of strings it owns; `items` can be
 * handed to execve(2) as it is (NULL while empty: use strv_argv).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct strv {
	char **items;
	size_t n;
	bool failed; /* an addition ran out of memory */
};

#define STRV_INIT                                                                                  \
	{                                                                                          \
		.items = NULL                                                                      \
	}

void strv_add(struct strv *v, const char *s);
void strv_addf(struct strv *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_add_take(struct strv *v, char *s);
void strv_done(struct strv *v);
bool strv_contains(const struct strv *v, const char *s);
char *const *strv_argv(const struct strv *v);

static inline bool strv_ok(const struct strv *v)
{
	return !v->failed;
}

#define cleanup_strv __attribute__((cleanup(strv_done)))
