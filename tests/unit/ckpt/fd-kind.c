/* fd-kind: real descriptors of ours are sorted into the right kinds. */
#include "../cmocka-all.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/fd-kind.h"
#include "cryo/dump.h"

static void look_at(int fd, struct fd_look *look, char link[PATH_MAX])
{
	struct statfs fs;
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, PATH_MAX - 1);
	assert_true(n > 0);
	link[n] = '\0';
	assert_int_equal(fstat(fd, &look->st), 0);
	assert_int_equal(fstatfs(fd, &fs), 0);
	look->fs_type = fs.f_type;
	look->link = link;
	look->where = "fd 3";
}

static void assert_kind(int fd, const char *name, bool supported)
{
	const struct cryo_dump_opts opts = CRYO_DUMP_OPTS_INIT;
	struct error err = ERROR_INIT;
	char link[PATH_MAX];
	struct fd_look look;
	int r;

	assert_true(fd >= 0);
	look_at(fd, &look, link);
	assert_string_equal(fd_kind_of(&look)->name, name);
	r = fd_kind_check(&opts, &look, &err);
	assert_int_equal(r, supported ? 0 : -EOPNOTSUPP);
	if (!supported) {
		assert_non_null(strstr(err.text, "fd 3"));
		assert_non_null(strstr(err.text, name));
	}
	assert_int_equal(close(fd), 0);
}

static void kinds_are_told_apart(void **state UNUSED)
{
	char name[] = "/tmp/fd-kind-XXXXXX";
	int ends[2];

	assert_kind(open("/dev/null", O_RDWR | O_CLOEXEC), "file", true);
	assert_kind(open("/", O_RDONLY | O_CLOEXEC), "file", true);
	assert_kind(mkostemp(name, O_CLOEXEC), "file", true);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_kind(ends[0], "pipe", true);
	assert_kind(ends[1], "pipe", true);
	assert_kind(eventfd(0, EFD_CLOEXEC), "eventfd", true);
	assert_kind(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd", true);
	assert_kind(memfd_create("x", MFD_CLOEXEC), "memfd", true);
	assert_kind((int)syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd", false);
}

static void large_deleted_files_are_refused_with_the_option(void **state UNUSED)
{
	const struct cryo_dump_opts opts = { .ghost_limit = 4096 };
	char name[] = "/tmp/fd-kind-XXXXXX";
	struct error err = ERROR_INIT;
	char link[PATH_MAX];
	struct fd_look look;
	char data[16384];
	int fd = mkostemp(name, O_CLOEXEC);

	assert_true(fd >= 0);
	memset(data, 1, sizeof(data));
	assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
	assert_int_equal(fsync(fd), 0);
	look_at(fd, &look, link);
	assert_int_equal(fd_kind_check(&opts, &look, &err), 0);
	assert_int_equal(unlink(name), 0);
	look_at(fd, &look, link);
	assert_int_equal(fd_kind_check(&opts, &look, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.hint, "--ghost-limit"));
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(large_deleted_files_are_refused_with_the_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
