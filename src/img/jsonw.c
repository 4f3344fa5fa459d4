#include "img/jsonw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define BASE64_LINE 76

void jsonw_init(struct jsonw *json, FILE *out)
{
	*json = (struct jsonw){ .out = out };
}

static void put(struct jsonw *json, char c)
{
	(void)putc(c, json->out);
}

static void new_line(struct jsonw *json)
{
	put(json, '\n');
	for (unsigned int i = 0; i < json->depth; i++)
		(void)fputs("    ", json->out);
}

/* What stands in front of every value: nothing after a key, else comma and line. */
static void before_value(struct jsonw *json)
{
	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if (json->filled)
		put(json, ',');
	if (json->depth > 0)
		new_line(json);
	json->filled = true;
}

void jsonw_begin(struct jsonw *json, char bracket)
{
	before_value(json);
	put(json, bracket);
	json->depth++;
	json->filled = false;
}

void jsonw_end(struct jsonw *json, char bracket)
{
	json->depth--;
	if (json->filled)
		new_line(json);
	put(json, bracket);
	json->filled = true;
	if (json->depth == 0)
		put(json, '\n');
}

static void put_escaped(struct jsonw *json, unsigned int unit)
{
	(void)fprintf(json->out, "\\u%04x", unit);
}

/* Length of the well-formed UTF-8 sequence at s, and its code point; 0: there is none. */
static size_t utf8_at(const unsigned char *s, size_t len, uint32_t *ret_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t point;
	size_t n;

	if (s[0] >= 0xf0 && s[0] < 0xf8) {
		n = 4;
		point = s[0] & 0x07u;
	} else if (s[0] >= 0xe0) {
		n = 3;
		point = s[0] & 0x0fu;
	} else {
		n = 2;
		point = s[0] & 0x1fu;
	}
	if (s[0] < 0xc0 || s[0] >= 0xf8 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3fu);
	}
	if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	*ret_point = point;
	return n;
}

static size_t put_wide(struct jsonw *json, const unsigned char *s, size_t len)
{
	uint32_t point = 0;
	size_t n = utf8_at(s, len, &point);

	if (n == 0) {
		put_escaped(json, 0xdc00u + s[0]);
		return 1;
	}
	if (point < 0x10000) {
		put_escaped(json, point);
	} else {
		put_escaped(json, 0xd800 + ((point - 0x10000) >> 10));
		put_escaped(json, 0xdc00 + ((point - 0x10000) & 0x3ff));
	}
	return n;
}

static void put_quoted(struct jsonw *json, const char *text, size_t len)
{
	static const char with_letter[] = "\"\\\n\t\r\b\f";
	static const char letters[] = "\"\\ntrbf";
	const unsigned char *s = (const unsigned char *)text;

	put(json, '"');
	for (size_t i = 0; i < len;) {
		unsigned char c = s[i];
		const char *known;

		if (c >= 0x80) {
			i += put_wide(json, s + i, len - i);
			continue;
		}
		known = c ? strchr(with_letter, c) : NULL;
		if (known) {
			put(json, '\\');
			put(json, letters[known - with_letter]);
		} else if (c < 0x20 || c == 0x7f) {
			put_escaped(json, c);
		} else {
			put(json, (char)c);
		}
		i++;
	}
	put(json, '"');
}

void jsonw_key(struct jsonw *json, const char *key)
{
	before_value(json);
	put_quoted(json, key, strlen(key));
	(void)fputs(": ", json->out);
	json->after_key = true;
}

void jsonw_uint(struct jsonw *json, uint64_t value)
{
	before_value(json);
	(void)fprintf(json->out, "%" PRIu64, value);
}

void jsonw_int(struct jsonw *json, int64_t value)
{
	before_value(json);
	(void)fprintf(json->out, "%" PRId64, value);
}

void jsonw_bool(struct jsonw *json, bool value)
{
	before_value(json);
	(void)fputs(value ? "true" : "false", json->out);
}

void jsonw_string(struct jsonw *json, const char *s, size_t len)
{
	before_value(json);
	put_quoted(json, s, len);
}

void jsonw_text(struct jsonw *json, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	jsonw_string(json, text, strlen(text));
}

void jsonw_base64_begin(struct jsonw *json)
{
	before_value(json);
	put(json, '"');
	json->pending = 0;
	json->column = 0;
}

static void put_group(struct jsonw *json)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char *g = json->group;
	unsigned int n = json->pending;

	memset(g + n, 0, sizeof(json->group) - n);
	put(json, digits[g[0] >> 2]);
	put(json, digits[(g[0] << 4 | g[1] >> 4) & 63]);
	put(json, n > 1 ? digits[(g[1] << 2 | g[2] >> 6) & 63] : '=');
	put(json, n > 2 ? digits[g[2] & 63] : '=');
	json->pending = 0;
	json->column += 4;
	if (json->column == BASE64_LINE) {
		(void)fputs("\\n", json->out);
		json->column = 0;
	}
}

void jsonw_base64_add(struct jsonw *json, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		json->group[json->pending++] = bytes[i];
		if (json->pending == sizeof(json->group))
			put_group(json);
	}
}

void jsonw_base64_end(struct jsonw *json)
{
	if (json->pending > 0)
		put_group(json);
	if (json->column > 0)
		(void)fputs("\\n", json->out);
	put(json, '"');
}
