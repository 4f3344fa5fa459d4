/*
 * scan: numbers and words out of zero-terminated text, one after the other.
 *
 * Each function looks at *p; on success it moves *p behind what it took, else
 * it returns false and leaves *p alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline void scan_blanks(const char **p)
{
	while (**p == ' ' || **p == '\t')
		(*p)++;
}

static inline bool scan_literal(const char **p, const char *literal)
{
	size_t len = strlen(literal);

	if (strncmp(*p, literal, len) != 0)
		return false;
	*p += len;
	return true;
}

static inline int scan_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* At least one digit, no sign, no prefix, no overflow. */
static inline bool scan_u64(const char **p, unsigned int base, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	if (scan_digit(*s) >= (int)base)
		return false;
	for (; scan_digit(*s) < (int)base; s++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)scan_digit(*s), &v))
			return false;
	}
	*ret = v;
	*p = s;
	return true;
}

static inline bool scan_i64(const char **p, int64_t *ret)
{
	const char *s = *p;
	bool negative = *s == '-';
	uint64_t v;

	if (negative)
		s++;
	if (!scan_u64(&s, 10, &v) || v > (uint64_t)INT64_MAX)
		return false;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	*p = s;
	return true;
}

static inline bool scan_u32(const char **p, unsigned int base, uint32_t *ret)
{
	const char *s = *p;
	uint64_t v;

	if (!scan_u64(&s, base, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	*p = s;
	return true;
}

static inline bool scan_int(const char **p, int *ret)
{
	const char *s = *p;
	int64_t v;

	if (!scan_i64(&s, &v) || v < INT32_MIN || v > INT32_MAX)
		return false;
	*ret = (int)v;
	*p = s;
	return true;
}

/* Start of the next line, or the end of the text. */
static inline const char *scan_next_line(const char *p)
{
	const char *end = strchr(p, '\n');

	return end ? end + 1 : p + strlen(p);
}

/* What follows `key` on the first line that begins with it; NULL: there is none. */
static inline const char *scan_find_line(const char *text, const char *key)
{
	for (; *text; text = scan_next_line(text)) {
		const char *p = text;

		if (scan_literal(&p, key))
			return p;
	}
	return NULL;
}
