#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"

int json_parse(const char *name, const char *text, size_t len, json_t **ret, struct error *err)
{
	json_error_t why;
	json_t *json;

	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!json && json_error_code(&why) == json_error_numeric_overflow)
		json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
				  &why);
	if (!json && json_error_code(&why) == json_error_out_of_memory)
		return err_oom(err);
	if (!json)
		return err_set(err, -EBADMSG, "'%s' is not valid JSON: line %d, column %d: %s",
			       name, why.line, why.column, why.text);
	*ret = json;
	return 0;
}

int json_read_at(int dirfd, const char *name, size_t max, json_t **ret, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = file_read_at(dirfd, name, max, &text, &len, err);
	if (r < 0)
		return r;
	return json_parse(name, text, len, ret, err);
}

int json_format(const json_t *json, int indent, char **ret, struct error *err)
{
	size_t flags = indent > 0 ? JSON_INDENT((size_t)indent) : JSON_COMPACT;
	cleanup_buf struct buf buf = BUF_INIT;
	size_t len = json_dumpb(json, NULL, 0, flags | JSON_ENCODE_ANY);
	char *room;

	room = len > 0 ? buf_grow(&buf, len) : NULL;
	if (!room)
		return err_oom(err);
	if (json_dumpb(json, room, len, flags | JSON_ENCODE_ANY) != len)
		return err_set(err, -EBADMSG, "format JSON: inconsistent length");
	buf_adds(&buf, "\n");
	if (!buf_ok(&buf))
		return err_oom(err);
	*ret = take_ptr(&buf.data);
	return 0;
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

static int wrong(const json_t *value, const char *place, const char *key, const char *expected,
		 struct error *err)
{
	return err_set(err, -EBADMSG, "%s%s%s: expected %s, found %s", place, *place ? "." : "",
		       key, expected, type_name(value));
}

/* The field's value, or NULL while it is absent or null. */
static json_t *field(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

int json_field_string(const json_t *object, const char *place, const char *key, const char **ret,
		      struct error *err)
{
	const json_t *value = field(object, key);

	if (!value)
		return 0;
	if (!json_is_string(value))
		return wrong(value, place, key, "a string", err);
	*ret = json_string_value(value);
	return 1;
}

int json_field_bool(const json_t *object, const char *place, const char *key, bool *ret,
		    struct error *err)
{
	const json_t *value = field(object, key);

	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return wrong(value, place, key, "true or false", err);
	*ret = json_is_true(value);
	return 1;
}

int json_field_int(const json_t *object, const char *place, const char *key, int64_t *ret,
		   struct error *err)
{
	const json_t *value = field(object, key);
	double real;

	if (!value)
		return 0;
	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return 1;
	}
	real = json_real_value(value); /* 0.0 for other types */
	if (!json_is_real(value) || real != floor(real) || real < -0x1p63 || real >= 0x1p63)
		return wrong(value, place, key, "an integer", err);
	*ret = (int64_t)real;
	return 1;
}

int json_field_uint(const json_t *object, const char *place, const char *key, uint64_t *ret,
		    struct error *err)
{
	const json_t *value = field(object, key);
	double real;

	if (!value)
		return 0;
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*ret = (uint64_t)json_integer_value(value);
		return 1;
	}
	real = json_real_value(value);
	if (!json_is_real(value) || real != floor(real) || real < 0 || real > 0x1p64)
		return wrong(value, place, key, "an integer that is not negative", err);
	*ret = real >= 0x1p64 ? UINT64_MAX : (uint64_t)real;
	return 1;
}

int json_field_object(const json_t *object, const char *place, const char *key, json_t **ret,
		      struct error *err)
{
	json_t *value = field(object, key);

	if (!value)
		return 0;
	if (!json_is_object(value))
		return wrong(value, place, key, "an object", err);
	*ret = value;
	return 1;
}

int json_field_array(const json_t *object, const char *place, const char *key, json_t **ret,
		     struct error *err)
{
	json_t *value = field(object, key);

	if (!value)
		return 0;
	if (!json_is_array(value))
		return wrong(value, place, key, "an array", err);
	*ret = value;
	return 1;
}

int json_field_strings(const json_t *object, const char *place, const char *key,
		       struct arena *arena, char ***ret, size_t *ret_n, struct error *err)
{
	json_t *array = NULL;
	const json_t *item;
	char **items;
	size_t i;
	int r;

	r = json_field_array(object, place, key, &array, err);
	if (r <= 0)
		return r;
	items = arena_new_array(arena, char *, json_array_size(array) + 1);
	if (!items)
		return err_oom(err);
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return err_set(err, -EBADMSG, "%s%s%s[%zu]: expected a string, found %s",
				       place, *place ? "." : "", key, i, type_name(item));
		items[i] = (char *)(uintptr_t)json_string_value(item);
	}
	*ret = items;
	if (ret_n)
		*ret_n = json_array_size(array);
	return 1;
}
