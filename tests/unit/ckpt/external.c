#include "../cmocka-all.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/external.h"

static void words_are_taken_apart(void **state UNUSED)
{
	char *words[] = { (char *)"mnt[/etc/hosts]:HOSTS", (char *)"net[4026531840]:web",
			  (char *)"file[1b:a7]", NULL };
	cleanup_arena struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	struct externals externals;
	const struct external *e;

	assert_int_equal(externals_parse(words, &arena, &externals, &err), 0);
	assert_int_equal(externals.n, 3);
	e = externals_find(&externals, "mnt", "/etc/hosts");
	assert_non_null(e);
	assert_string_equal(e->value, "HOSTS");
	e = externals_find(&externals, "file", "1b:a7");
	assert_non_null(e);
	assert_null(e->value);
	assert_null(externals_find(&externals, "mnt", "4026531840"));
	assert_int_equal(externals_parse(NULL, &arena, &externals, &err), 0);
	assert_int_equal(externals.n, 0);
}

static void nonsense_is_refused(void **state UNUSED)
{
	static const char *const bad[] = { "",	      "mnt",	   "mnt[",  "mnt]x[",
					   "mnt[a]b", "what[a]:b", "net[]", "file[]:s" };
	cleanup_arena struct arena arena = ARENA_INIT;
	struct externals externals;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *words[] = { (char *)bad[i], NULL };
		struct error err = ERROR_INIT;

		assert_true(externals_parse(words, &arena, &externals, &err) < 0);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_taken_apart),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
