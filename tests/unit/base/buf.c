#include "../cmocka-all.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void grows_and_stays_terminated(void **state UNUSED)
{
	cleanup_buf struct buf buf = BUF_INIT;

	assert_string_equal(buf_str(&buf), "");
	for (int i = 0; i < 1000; i++)
		buf_addf(&buf, "%d,", i);
	buf_adds(&buf, "end");
	assert_true(buf_ok(&buf));
	assert_int_equal(buf.len, strlen(buf.data));
	assert_memory_equal(buf.data, "0,1,2,", 6);
	assert_string_equal(buf.data + buf.len - 7, "999,end");
}

static void grow_gives_zeroed_room(void **state UNUSED)
{
	cleanup_buf struct buf buf = BUF_INIT;
	char *room;

	buf_adds(&buf, "ab");
	room = buf_grow(&buf, 100);
	assert_non_null(room);
	for (int i = 0; i < 100; i++)
		assert_int_equal(room[i], 0);
	assert_int_equal(buf.len, 102);
}

static void an_impossible_length_is_remembered(void **state UNUSED)
{
	cleanup_buf struct buf buf = BUF_INIT;

	buf_adds(&buf, "x");
	assert_null(buf_grow(&buf, SIZE_MAX - 1));
	buf_adds(&buf, "more");
	assert_false(buf_ok(&buf));
	assert_string_equal(buf_str(&buf), "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(grow_gives_zeroed_room),
		cmocka_unit_test(an_impossible_length_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
