#include "../cmocka-all.h"

#include "base/cleanup.h"
#include "base/strv.h"

static void ends_in_null(void **state UNUSED)
{
	cleanup_strv struct strv v = STRV_INIT;

	assert_null(strv_argv(&v)[0]);
	strv_add(&v, "one");
	strv_addf(&v, "%d+%d", 1, 1);
	assert_true(strv_ok(&v));
	assert_int_equal(v.n, 2);
	assert_string_equal(strv_argv(&v)[1], "1+1");
	assert_null(strv_argv(&v)[2]);
	assert_true(strv_contains(&v, "one"));
	assert_false(strv_contains(&v, "two"));
}

static void a_failed_addition_is_remembered(void **state UNUSED)
{
	cleanup_strv struct strv v = STRV_INIT;

	strv_add(&v, "one");
	strv_add_take(&v, NULL);
	strv_add(&v, "two");
	assert_false(strv_ok(&v));
	assert_int_equal(v.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_in_null),
		cmocka_unit_test(a_failed_addition_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
