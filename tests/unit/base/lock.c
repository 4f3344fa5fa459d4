#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "cryo/error.h"

static int make_folder(void **state)
{
	char path[] = "/tmp/cryopod-lock.XXXXXX";

	*state = mkdtemp(path) ? strdup(path) : NULL;
	return *state ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "%s/lock", (char *)*state);
	(void)unlink(command);
	(void)rmdir(*state);
	free(*state);
	return 0;
}

/* What another process gets when it tries the lock. */
static int try_elsewhere(int dirfd, enum lock_mode mode)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct lock lock = LOCK_INIT;

		_exit(-lock_try(dirfd, "lock", mode, &lock, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void test_exclusive_keeps_others_out(void **state)
{
	int dirfd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lock lock = LOCK_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(lock_take(dirfd, "lock", LOCK_MODE_EXCLUSIVE, &lock, &err), 0);
	assert_int_equal(try_elsewhere(dirfd, LOCK_MODE_EXCLUSIVE), -EBUSY);
	assert_int_equal(try_elsewhere(dirfd, LOCK_MODE_SHARED), -EBUSY);
	lock_release(&lock);
	assert_int_equal(try_elsewhere(dirfd, LOCK_MODE_EXCLUSIVE), 0);
	(void)close(dirfd);
}

static void test_shared_keeps_only_exclusive_out(void **state)
{
	int dirfd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lock lock = LOCK_INIT;

	assert_int_equal(lock_take(dirfd, "lock", LOCK_MODE_SHARED, &lock, NULL), 0);
	assert_int_equal(try_elsewhere(dirfd, LOCK_MODE_SHARED), 0);
	assert_int_equal(try_elsewhere(dirfd, LOCK_MODE_EXCLUSIVE), -EBUSY);
	lock_release(&lock);
	lock_release(&lock); /* an empty lock may be released */
	(void)close(dirfd);
}

static void test_symlink_is_not_followed(void **state)
{
	int dirfd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lock lock = LOCK_INIT;
	struct error err = ERROR_INIT;

	(void)unlinkat(dirfd, "lock", 0);
	assert_int_equal(symlinkat("/dev/null", dirfd, "lock"), 0);
	assert_int_equal(lock_take(dirfd, "lock", LOCK_MODE_SHARED, &lock, &err), -ELOOP);
	assert_non_null(strstr(err.text, "'lock'"));
	(void)close(dirfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exclusive_keeps_others_out, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_shared_keeps_only_exclusive_out, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_symlink_is_not_followed, make_folder,
						remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
