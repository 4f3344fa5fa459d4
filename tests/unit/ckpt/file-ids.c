#include "../cmocka-all.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/file-ids.h"

static int id_of(struct dump_file_ids *ids, int fd, uint32_t *ret)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return file_ids_get(ids, getpid(), fd, &st, ret, NULL);
}

static void copies_share_a_number_and_openings_do_not(void **state UNUSED)
{
	struct dump_file_ids *ids = NULL;
	uint32_t first;
	uint32_t copy;
	uint32_t second;
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int b = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int a2 = fcntl(a, F_DUPFD_CLOEXEC, 0);

	assert_true(a >= 0 && b >= 0 && a2 >= 0);
	assert_int_equal(file_ids_new(&ids, NULL), 0);
	assert_int_equal(id_of(ids, a, &first), 1);
	assert_int_equal(id_of(ids, a2, &copy), 0);
	assert_int_equal(copy, first);
	assert_int_equal(id_of(ids, b, &second), 1);
	assert_int_not_equal(second, first);
	assert_int_equal(id_of(ids, a, &copy), 0);
	assert_int_equal(copy, first);
	file_ids_free(ids);
	(void)close(a);
	(void)close(b);
	(void)close(a2);
}

static void plain_files_are_known_by_file_mount_and_flags(void **state UNUSED)
{
	struct dump_file_ids *ids = NULL;
	struct stat st;
	uint32_t first;
	uint32_t again;
	uint32_t other;

	assert_int_equal(stat("/", &st), 0);
	assert_int_equal(file_ids_new(&ids, NULL), 0);
	assert_int_equal(file_ids_get_plain(ids, &st, 1, O_RDONLY, &first, NULL), 1);
	assert_int_equal(file_ids_get_plain(ids, &st, 1, O_RDONLY, &again, NULL), 0);
	assert_int_equal(again, first);
	assert_int_equal(file_ids_get_plain(ids, &st, 1, O_RDWR, &other, NULL), 1);
	assert_int_equal(file_ids_get_plain(ids, &st, 2, O_RDONLY, &other, NULL), 1);
	assert_true(file_ids_next(ids) > other);
	file_ids_free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_share_a_number_and_openings_do_not),
		cmocka_unit_test(plain_files_are_known_by_file_mount_and_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
