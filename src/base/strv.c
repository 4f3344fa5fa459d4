#include "base/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strv_add_take(struct strv *v, char *s)
{
	char **items;

	if (!s || v->failed) {
		free(s);
		v->failed = true;
		return;
	}
	items = realloc(v->items, (v->n + 2) * sizeof(*items));
	if (!items) {
		free(s);
		v->failed = true;
		return;
	}
	items[v->n] = s;
	items[++v->n] = NULL;
	v->items = items;
}

void strv_add(struct strv *v, const char *s)
{
	strv_add_take(v, strdup(s));
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	strv_add_take(v, n < 0 ? NULL : s);
}

void strv_done(struct strv *v)
{
	int saved = errno;

	for (size_t i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv)STRV_INIT;
	errno = saved;
}

bool strv_contains(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->items[i], s) == 0)
			return true;
	return false;
}

char *const *strv_argv(const struct strv *v)
{
	static char *const empty[] = { NULL };

	return v->items ? v->items : empty;
}
