#include "../cmocka-all.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

static void begin(int pipes[2])
{
	assert_int_equal(pipe(pipes), 0);
	log_set_fd(pipes[1]);
	log_set_level(LOG_LEVEL_DEBUG);
}

/* What has been written since the last look, without waiting; NULL-terminated. */
static void end(int pipes[2], char *text, size_t size)
{
	ssize_t n;

	close(pipes[1]);
	log_set_fd(STDERR_FILENO);
	n = read(pipes[0], text, size - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(pipes[0]);
}

static void held_lines_come_at_the_flush_in_order(void **state UNUSED)
{
	char text[512];
	int pipes[2];

	begin(pipes);
	log_hold();
	log_debug("one");
	log_debug("two");
	log_flush();
	log_debug("three");
	end(pipes, text, sizeof(text));
	assert_non_null(strstr(text, "log: one\n"));
	assert_true(strstr(text, "one") < strstr(text, "two"));
	assert_true(strstr(text, "two") < strstr(text, "three"));
}

static void nothing_is_written_while_lines_are_held(void **state UNUSED)
{
	char text[512];
	int pipes[2];

	begin(pipes);
	log_hold();
	log_debug("later");
	end(pipes, text, sizeof(text));
	assert_string_equal(text, "");
	begin(pipes);
	log_flush();
	end(pipes, text, sizeof(text));
	assert_non_null(strstr(text, "later"));
}

static void an_error_is_not_held_and_does_not_overtake(void **state UNUSED)
{
	char text[512];
	int pipes[2];

	begin(pipes);
	log_hold();
	log_debug("before");
	log_err("now");
	end(pipes, text, sizeof(text));
	assert_non_null(strstr(text, "now"));
	assert_true(strstr(text, "before") < strstr(text, "now"));
	log_flush();
}

/* Pipes hold 64 KiB: all that is written here fits into one. */
static void what_does_not_fit_is_written(void **state UNUSED)
{
	static char text[64 << 10];
	int pipes[2];

	begin(pipes);
	log_hold();
	for (int i = 0; i < 1000; i++)
		log_debug("line %04d of those", i);
	log_flush();
	end(pipes, text, sizeof(text));
	assert_non_null(strstr(text, "line 0000 of"));
	assert_non_null(strstr(text, "line 0999 of"));
	assert_true(strstr(text, "line 0500 of") < strstr(text, "line 0999 of"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_lines_come_at_the_flush_in_order),
		cmocka_unit_test(nothing_is_written_while_lines_are_held),
		cmocka_unit_test(an_error_is_not_held_and_does_not_overtake),
		cmocka_unit_test(what_does_not_fit_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
