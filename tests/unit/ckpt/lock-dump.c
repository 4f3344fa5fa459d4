/* Lines about locks in fdinfo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/lock.h"
#include "cryo/dump.h"

static void kinds_and_ranges_are_read(void **state UNUSED)
{
	struct lock lock;

	assert_int_equal(
		lock_parse("\t1: POSIX  ADVISORY  WRITE 12 08:01:77 100 149\n", &lock, NULL), 0);
	assert_int_equal(lock.kind, LOCK_KIND_POSIX);
	assert_int_equal(lock.type, F_WRLCK);
	assert_int_equal(lock.start, 100);
	assert_int_equal(lock.len, 50);
	assert_int_equal(lock_parse("\t1: FLOCK  ADVISORY  READ  0 fd:00:77 0 EOF", &lock, NULL),
			 0);
	assert_int_equal(lock.kind, LOCK_KIND_FLOCK);
	assert_int_equal(lock.type, F_RDLCK);
	assert_int_equal(lock.len, 0);
	assert_int_equal(
		lock_parse("\t2: OFDLCK ADVISORY  WRITE -1 00:2f:77 4294967296 EOF\n", &lock, NULL),
		0);
	assert_int_equal(lock.kind, LOCK_KIND_OFD);
	assert_true(lock.start == INT64_C(4294967296));
	assert_int_equal(lock_parse("\t1: LEASE  BREAKING  UNLCK 9 00:2f:77 0 EOF\n", &lock, NULL),
			 0);
	assert_int_equal(lock.kind, LOCK_KIND_LEASE);
	assert_true(lock.breaking);
	assert_int_equal(lock.type, F_UNLCK);
	assert_int_equal(lock_parse("\t1: LEASE  ACTIVE    WRITE 9 00:2f:77 0 EOF\n", &lock, NULL),
			 0);
	assert_false(lock.breaking);
}

static void strange_lines_are_refused(void **state UNUSED)
{
	struct lock lock;

	assert_int_equal(lock_parse("\t1: DELEG  ACTIVE    READ 9 00:2f:77 0 EOF\n", &lock, NULL),
			 -EOPNOTSUPP);
	assert_int_equal(
		lock_parse("\t1: POSIX  ADVISORY  WRITE 12 08:01:77 100 99\n", &lock, NULL),
		-EBADMSG);
	assert_int_equal(lock_parse("\t1: POSIX  ADVISORY  WRITE 12 08:01:77 100", &lock, NULL),
			 -EBADMSG);
	assert_int_equal(lock_parse("", &lock, NULL), -EBADMSG);
}

static void a_lock_is_told_unless_it_is_wanted(void **state UNUSED)
{
	static const char text[] =
		"scm_fds: 0\nlock:\t1: POSIX  ADVISORY  READ 12 08:01:77 0 EOF\n";
	struct cryo_dump_opts opts = { .pid = 1 };
	struct error err = ERROR_INIT;

	assert_int_equal(lock_check(&opts, "task 1: fd 3", "/x", text, &err), -EOPNOTSUPP);
	assert_string_equal(err.text, "task 1: fd 3: file '/x' is locked by the tree (POSIX lock)");
	assert_non_null(strstr(err.hint, "--file-locks"));
	opts.file_locks = true;
	assert_int_equal(lock_check(&opts, "task 1: fd 3", "/x", text, NULL), 0);
	opts.file_locks = false;
	assert_int_equal(lock_check(&opts, "task 1: fd 3", "/x", "ino:\t5\n", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_and_ranges_are_read),
		cmocka_unit_test(strange_lines_are_refused),
		cmocka_unit_test(a_lock_is_told_unless_it_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
