#include "../cmocka-all.h"

#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/posix-timers.h"

static void what_the_kernel_writes_is_read(void **state UNUSED)
{
	static const char text[] = "ID: 7\n"
				   "signal: 60/00007fff86e452a8\n"
				   "notify: signal/pid.2634\n"
				   "ClockID: 1\n"
				   "ID: 9\n"
				   "signal: 14/0\n"
				   "notify: signal/tid.2635\n"
				   "ClockID: -6\n"
				   "ID: 10\n"
				   "signal: 0/0\n"
				   "notify: none/pid.2634\n"
				   "ClockID: 0\n";
	cleanup_arena struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	struct posix_timers timers;

	assert_int_equal(posix_timers_parse(text, &arena, &timers, &err), 0);
	assert_int_equal(timers.n, 3);
	assert_int_equal(timers.timers[0].id, 7);
	assert_int_equal(timers.timers[0].signo, 60);
	assert_int_equal(timers.timers[0].sigev_value, 0x7fff86e452a8);
	assert_int_equal(timers.timers[0].notify, SIGEV_SIGNAL);
	assert_int_equal(timers.timers[0].clock_id, 1);
	assert_int_equal(timers.timers[1].notify, SIGEV_THREAD_ID);
	assert_int_equal(timers.timers[1].notify_tid, 2635);
	assert_int_equal(timers.timers[1].clock_id, -6);
	assert_int_equal(timers.timers[2].notify, SIGEV_NONE);
}

static void no_timers_are_none(void **state UNUSED)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	struct posix_timers timers;

	assert_int_equal(posix_timers_parse("", &arena, &timers, NULL), 0);
	assert_int_equal(timers.n, 0);
}

static void damage_is_told(void **state UNUSED)
{
	static const char *const bad[] = { "signal: 1/0\n", "ID: x\n", "ID: 1\nsignal: 3\n",
					   "ID: 1\nnotify: owl/pid.3\n", "ID: 1\nClockID: \n" };
	cleanup_arena struct arena arena = ARENA_INIT;
	struct posix_timers timers;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(posix_timers_parse(bad[i], &arena, &timers, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_kernel_writes_is_read),
		cmocka_unit_test(no_timers_are_none),
		cmocka_unit_test(damage_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
