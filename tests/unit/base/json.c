#include "../cmocka-all.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

static json_t *parse(const char *text)
{
	json_t *json = NULL;

	assert_int_equal(json_parse("test", text, strlen(text), &json, NULL), 0);
	return json;
}

static void fields_of_each_type(void **state UNUSED)
{
	cleanup_json json_t *json =
		parse("{\"s\":\"x\",\"b\":true,\"i\":-7,\"u\":8,\"o\":{},\"a\":[],\"n\":null}");
	const char *s = "";
	json_t *part = NULL;
	uint64_t u = 0;
	int64_t i = 0;
	bool b = false;

	assert_int_equal(json_field_string(json, "", "s", &s, NULL), 1);
	assert_string_equal(s, "x");
	assert_int_equal(json_field_bool(json, "", "b", &b, NULL), 1);
	assert_true(b);
	assert_int_equal(json_field_int(json, "", "i", &i, NULL), 1);
	assert_int_equal(i, -7);
	assert_int_equal(json_field_uint(json, "", "u", &u, NULL), 1);
	assert_int_equal(u, 8);
	assert_int_equal(json_field_object(json, "", "o", &part, NULL), 1);
	assert_int_equal(json_field_array(json, "", "a", &part, NULL), 1);
	assert_int_equal(json_field_string(json, "", "n", &s, NULL), 0);
	assert_int_equal(json_field_string(json, "", "absent", &s, NULL), 0);
	assert_string_equal(s, "x");
}

static void a_wrong_type_is_told_with_its_place(void **state UNUSED)
{
	cleanup_json json_t *json = parse("{\"cwd\":5,\"uid\":-1,\"env\":[\"a\",7]}");
	cleanup_arena struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	const char *s = NULL;
	char **list = NULL;
	uint64_t u = 0;

	assert_int_equal(json_field_string(json, "process", "cwd", &s, &err), -EBADMSG);
	assert_string_equal(err.text, "process.cwd: expected a string, found a number");
	assert_int_equal(json_field_uint(json, "", "uid", &u, &err), -EBADMSG);
	assert_string_equal(err.text,
			    "uid: expected an integer that is not negative, found a number");
	assert_int_equal(json_field_strings(json, "process", "env", &arena, &list, NULL, &err),
			 -EBADMSG);
	assert_string_equal(err.text, "process.env[1]: expected a string, found a number");
}

static void numbers_beyond_63_bits(void **state UNUSED)
{
	cleanup_json json_t *json =
		parse("{\"hard\":18446744073709551615,\"soft\":1024,\"half\":1.5}");
	uint64_t u = 0;

	assert_int_equal(json_field_uint(json, "", "hard", &u, NULL), 1);
	assert_true(u == UINT64_MAX);
	assert_int_equal(json_field_uint(json, "", "soft", &u, NULL), 1);
	assert_int_equal(u, 1024);
	assert_int_equal(json_field_uint(json, "", "half", &u, NULL), -EBADMSG);
}

static void text_that_is_not_json(void **state UNUSED)
{
	static const char *const texts[] = { "", "{", "{\"a\":1,}", "{\"a\":\"\\u0000\"}", "nul" };
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(json_parse("f.json", texts[i], strlen(texts[i]), &json, &err),
				 -EBADMSG);
		assert_non_null(strstr(err.text, "'f.json' is not valid JSON: line 1"));
	}
}

static void lists_of_strings_end_in_null(void **state UNUSED)
{
	cleanup_json json_t *json = parse("{\"args\":[\"a\",\"b\"],\"none\":[]}");
	cleanup_arena struct arena arena = ARENA_INIT;
	char **list = NULL;
	size_t n = 9;

	assert_int_equal(json_field_strings(json, "", "args", &arena, &list, &n, NULL), 1);
	assert_int_equal(n, 2);
	assert_string_equal(list[1], "b");
	assert_null(list[2]);
	assert_int_equal(json_field_strings(json, "", "none", &arena, &list, &n, NULL), 1);
	assert_int_equal(n, 0);
	assert_null(list[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_each_type),
		cmocka_unit_test(a_wrong_type_is_told_with_its_place),
		cmocka_unit_test(numbers_beyond_63_bits),
		cmocka_unit_test(text_that_is_not_json),
		cmocka_unit_test(lists_of_strings_end_in_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
