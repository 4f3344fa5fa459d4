#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/path.h"

struct fixture {
	char path[64];
	int root; /* path/root: what the tests are confined to */
};

static int set_up(void **state)
{
	static struct fixture f;
	char name[128];
	int dir;

	strcpy(f.path, "/tmp/cryopod-test-path-XXXXXX");
	if (!mkdtemp(f.path))
		return -1;
	(void)snprintf(name, sizeof(name), "%s/root", f.path);
	if (mkdir(name, 0755) < 0)
		return -1;
	f.root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = openat(f.root, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (file_write_atomic_at(dir, "secret", "s", 1, 0600, NULL) < 0 ||
	    symlinkat("../../secret", f.root, "up") < 0 || symlinkat("/secret", f.root, "abs") < 0)
		return -1;
	(void)close(dir);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)close(f->root);
	return file_remove_tree_at(AT_FDCWD, f->path, NULL);
}

static void no_way_leads_out(void **state)
{
	static const char *const ways[] = { "../secret", "/../secret", "up", "abs",
					    "a/../../secret" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(path_open_in_root(f->root, ways[i], O_RDONLY, 0, NULL), -ENOENT);
		assert_true(path_open_beneath(f->root, ways[i], O_RDONLY, 0, NULL) < 0);
	}
}

static void links_are_taken_as_the_root_would(void **state)
{
	struct fixture *f = *state;
	cleanup_fd int fd = -EBADF;

	assert_int_equal(file_write_atomic_at(f->root, "secret", "inner", 5, 0600, NULL), 0);
	fd = path_open_in_root(f->root, "abs", O_RDONLY, 0, NULL);
	assert_true(fd >= 0);
	assert_int_equal(path_open_beneath(f->root, "abs", O_RDONLY, 0, NULL), -ELOOP);
}

static void folders_are_made_on_the_way(void **state)
{
	struct fixture *f = *state;
	cleanup_fd int fd = -EBADF;
	struct stat made;
	struct stat seen;

	fd = path_make_dirs_in_root(f->root, "/a//b/../b/c/", 0750, NULL);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &made), 0);
	assert_int_equal(fstatat(f->root, "a/b/c", &seen, 0), 0);
	assert_int_equal(made.st_ino, seen.st_ino);
	assert_int_equal(seen.st_mode & 0777, 0750);
	cleanup_fd_p(&fd);
	fd = path_make_dirs_in_root(f->root, "/", 0750, NULL);
	assert_true(fd >= 0);
}

static void a_file_in_the_way_is_named(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(file_write_atomic_at(f->root, "plain", "x", 1, 0600, NULL), 0);
	assert_int_equal(path_make_dirs_in_root(f->root, "plain/sub", 0755, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "plain"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_way_leads_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_are_taken_as_the_root_would, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(folders_are_made_on_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_in_the_way_is_named, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
