#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

struct fixture {
	char path[64];
	int dir;
};

static int set_up(void **state)
{
	static struct fixture f;

	strcpy(f.path, "/tmp/cryopod-test-file-XXXXXX");
	if (!mkdtemp(f.path))
		return -1;
	f.dir = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &f;
	return f.dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)close(f->dir);
	return file_remove_tree_at(AT_FDCWD, f->path, NULL);
}

static void what_was_written_is_read(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *data = NULL;
	struct stat st;
	size_t len = 0;

	assert_int_equal(file_write_atomic_at(f->dir, "a", "one", 3, 0600, NULL), 0);
	assert_int_equal(file_write_atomic_at(f->dir, "a", "two!", 4, 0600, NULL), 0);
	assert_int_equal(file_read_at(f->dir, "a", 4, &data, &len, NULL), 0);
	assert_int_equal(len, 4);
	assert_string_equal(data, "two!");
	assert_int_equal(fstatat(f->dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_plain_write_replaces_and_follows_no_link(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *data = NULL;

	assert_int_equal(file_write_at(f->dir, "p", "longer", 6, 0600, NULL), 0);
	assert_int_equal(file_write_at(f->dir, "p", "new", 3, 0600, NULL), 0);
	assert_int_equal(file_read_at(f->dir, "p", 16, &data, NULL, NULL), 0);
	assert_string_equal(data, "new");
	assert_int_equal(symlinkat("p", f->dir, "link"), 0);
	assert_int_equal(file_write_at(f->dir, "link", "x", 1, 0600, NULL), -ELOOP);
}

static void nothing_temporary_stays(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(mkdirat(f->dir, "folder", 0700), 0);
	assert_int_equal(file_write_atomic_at(f->dir, "folder", "x", 1, 0600, &err), -EISDIR);
	assert_non_null(strstr(err.text, "folder"));
	assert_int_equal(file_remove_tree_at(f->dir, "folder", NULL), 0);
	/* the fixture's folder must now be empty, or rmdir would refuse */
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
}

static void too_big_is_refused(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	char *data = NULL;

	assert_int_equal(file_write_atomic_at(f->dir, "big", "12345", 5, 0600, NULL), 0);
	assert_int_equal(file_read_at(f->dir, "big", 4, &data, NULL, &err), -EFBIG);
	assert_null(data);
	assert_string_equal(err.text, "read 'big': File too large");
}

static void a_tree_is_removed_without_following_links(void **state)
{
	struct fixture *f = *state;
	char outside[128];

	(void)snprintf(outside, sizeof(outside), "%s/outside", f->path);
	assert_int_equal(file_make_dirs_at(f->dir, "t/deep/er", 0700, NULL), 0);
	assert_int_equal(file_make_dirs_at(f->dir, "outside", 0700, NULL), 0);
	assert_int_equal(file_write_atomic_at(f->dir, "outside/keep", "x", 1, 0600, NULL), 0);
	assert_int_equal(symlinkat(outside, f->dir, "t/deep/link"), 0);
	assert_int_equal(file_remove_tree_at(f->dir, "t", NULL), 0);
	assert_int_equal(faccessat(f->dir, "t", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(faccessat(f->dir, "outside/keep", F_OK, 0), 0);
	assert_int_equal(file_remove_tree_at(f->dir, "t", NULL), 0);
}

/* Deeper than descriptors, and than a path can be written. */
static void a_deep_tree_is_removed(void **state)
{
	struct fixture *f = *state;
	int dir = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 1200; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "d", 0700), 0);
		assert_int_equal(mknodat(dir, ".too-deep.0", S_IFREG | 0600, 0), 0);
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(dir);
		dir = next;
	}
	(void)close(dir);
	assert_int_equal(file_remove_tree_at(f->dir, "d", NULL), 0);
	assert_int_equal(faccessat(f->dir, "d", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void slurp_crosses_its_first_block(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *data = NULL;
	char big[10000];
	size_t len = 0;

	memset(big, 'b', sizeof(big));
	assert_int_equal(file_write_atomic_at(f->dir, "s", big, sizeof(big), 0600, NULL), 0);
	assert_int_equal(file_read_at(f->dir, "s", sizeof(big), &data, &len, NULL), 0);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(data, big, sizeof(big));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_plain_write_replaces_and_follows_no_link, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(nothing_temporary_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_big_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tree_is_removed_without_following_links, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_deep_tree_is_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(slurp_crosses_its_first_block, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
