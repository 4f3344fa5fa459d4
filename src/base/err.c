#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A zero or positive code would break the promise made to the compiler. */
static int negative(int code)
{
	if (code > 0)
		return -code;
	return code == 0 ? -EINVAL : code;
}

static void fill(struct error *err, int code, const char *fmt, va_list ap)
{
	err->code = code;
	err->hint[0] = '\0';
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap); /* truncation is fine */
}

int err_set_raw(struct error *err, int code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	code = negative(code);
	if (err) {
		va_start(ap, fmt);
		fill(err, code, fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return code;
}

int err_sys_raw(struct error *err, const char *fmt, ...)
{
	int saved = errno;
	int code = negative(-saved);
	va_list ap;
	size_t len;

	if (err) {
		va_start(ap, fmt);
		fill(err, code, fmt, ap);
		va_end(ap);
		len = strlen(err->text);
		(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(-code));
	}
	errno = saved;
	return code;
}

int err_wrap_raw(struct error *err, int code, const char *fmt, ...)
{
	int saved = errno;
	char old[ERROR_TEXT_MAX];
	va_list ap;
	int n;

	code = negative(code);
	if (err) {
		if (err->code == 0) /* the callee told nothing: use the code's text */
			(void)snprintf(err->text, sizeof(err->text), "%s", strerror(-code));
		err->code = code;
		memcpy(old, err->text, sizeof(old));
		va_start(ap, fmt);
		n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
		if (n >= 0 && (size_t)n < sizeof(err->text))
			(void)snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", old);
	}
	errno = saved;
	return code;
}

void err_hint(struct error *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
		va_end(ap);
	}
	errno = saved;
}
