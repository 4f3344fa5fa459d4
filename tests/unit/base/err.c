#include "../cmocka-all.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

static void told_and_returned_are_the_same(void **state UNUSED)
{
	struct error err = ERROR_INIT;

	assert_int_equal(err_set(&err, -EBUSY, "task %d", 7), -EBUSY);
	assert_int_equal(err.code, -EBUSY);
	assert_string_equal(err.text, "task 7");
	assert_string_equal(err.hint, "");
}

static void sys_takes_errno_and_keeps_it(void **state UNUSED)
{
	struct error err = ERROR_INIT;

	errno = ENOENT;
	assert_int_equal(err_sys(&err, "open '%s'", "/x"), -ENOENT);
	assert_string_equal(err.text, "open '/x': No such file or directory");
	assert_int_equal(errno, ENOENT);
}

static void wraps_read_from_outside_in(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	int r;

	errno = EACCES;
	r = err_sys(&err, "open '%s'", "/data/x");
	err_hint(&err, "run as root");
	r = err_wrap(&err, r, "fd %d", 3);
	r = err_wrap(&err, r, "task %d", 7);
	assert_int_equal(r, -EACCES);
	assert_string_equal(err.text, "task 7: fd 3: open '/data/x': Permission denied");
	assert_string_equal(err.hint, "run as root");
}

static void a_silent_callee_gets_the_codes_text(void **state UNUSED)
{
	struct error err = ERROR_INIT;

	assert_int_equal(err_wrap(&err, -ENOSPC, "page %d", 1), -ENOSPC);
	assert_string_equal(err.text, "page 1: No space left on device");
}

static void no_object_is_fine(void **state UNUSED)
{
	assert_int_equal(err_set(NULL, -EINVAL, "x"), -EINVAL);
	errno = EIO;
	assert_int_equal(err_sys(NULL, "x"), -EIO);
	assert_int_equal(err_wrap(NULL, -EIO, "x"), -EIO);
	err_hint(NULL, "x");
}

static void never_returns_success(void **state UNUSED)
{
	struct error err = ERROR_INIT;

	assert_true(err_set_raw(&err, 0, "x") < 0);
	assert_true(err_set_raw(&err, 5, "x") == -5);
	errno = 0;
	assert_true(err_sys_raw(&err, "x") < 0);
}

static void long_texts_are_cut_not_overrun(void **state UNUSED)
{
	struct error err = ERROR_INIT;
	char big[2 * ERROR_TEXT_MAX];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&err, -EINVAL, "%s", big);
	(void)err_wrap(&err, -EINVAL, "%s", big);
	err_hint(&err, "%s", big);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_int_equal(strlen(err.hint), ERROR_HINT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_and_returned_are_the_same),
		cmocka_unit_test(sys_takes_errno_and_keeps_it),
		cmocka_unit_test(wraps_read_from_outside_in),
		cmocka_unit_test(a_silent_callee_gets_the_codes_text),
		cmocka_unit_test(no_object_is_fine),
		cmocka_unit_test(never_returns_success),
		cmocka_unit_test(long_texts_are_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
