/* mountinfo: what the kernel writes there, and what it does not. */
#include "../cmocka-all.h"

#include "base/mountinfo.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

static void fields_are_found(void **state UNUSED)
{
	cleanup_mountinfo struct mountinfo_table table = MOUNTINFO_TABLE_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(mountinfo_parse("36 35 98:0 / /m rw - ext3 /dev/r rw\n"
					 "40 36 0:x / /e rw - tmpfs t rw\n",
					 &table, &err),
			 -EBADMSG);
	assert_non_null(strstr(err.text, "line 2"));

	assert_int_equal(mountinfo_parse("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:7 master:1 "
					 "- ext3 /dev/r\\134t rw,errors=continue\n"
					 "40 36 0:5 / /e ro unbindable later:9 - tmpfs  rw\n"
					 "41 36 0:6 / /e ro - proc proc rw\n",
					 &table, &err),
			 0);
	assert_int_equal(table.n, 3);
	assert_int_equal(table.mounts[0].id, 36);
	assert_int_equal(table.mounts[0].parent_id, 35);
	assert_int_equal(table.mounts[0].dev_major, 98);
	assert_string_equal(table.mounts[0].root, "/mnt1");
	assert_string_equal(table.mounts[0].mountpoint, "/mnt 2");
	assert_string_equal(table.mounts[0].source, "/dev/r\\t");
	assert_int_equal(table.mounts[0].shared, 7);
	assert_int_equal(table.mounts[0].master, 1);
	assert_string_equal(table.mounts[1].source, "");
	assert_true(table.mounts[1].unbindable);
	assert_ptr_equal(mountinfo_by_id(&table, 40), &table.mounts[1]);
	assert_string_equal(table.mounts[2].mountpoint, "/e");
}

static void own_table_is_read(void **state UNUSED)
{
	cleanup_mountinfo struct mountinfo_table table = MOUNTINFO_TABLE_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(mountinfo_read_at(AT_FDCWD, "/proc/self/mountinfo", &table, &err), 0);
	assert_true(table.n > 0);
}

static void cut_lines_are_refused(void **state UNUSED)
{
	static const char line[] = "36 35 98:0 / /m rw shared:7 - ext3 /dev/r rw";
	char cut[sizeof(line)];
	struct error err = ERROR_INIT;
	struct mountinfo_table table;

	for (size_t n = 1; n < sizeof(line) - 9; n++) {
		memcpy(cut, line, n);
		cut[n] = '\0';
		assert_int_equal(mountinfo_parse(cut, &table, &err), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(own_table_is_read),
		cmocka_unit_test(cut_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
