#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kern.h"

static void every_feature_has_a_name_and_a_need(void **state UNUSED)
{
	for (int i = 0; i < KERN_N_FEATURES; i++) {
		assert_non_null(kern_name((enum kern_feature)i));
		assert_non_null(kern_need((enum kern_feature)i));
		assert_int_equal(kern_find(kern_name((enum kern_feature)i)), i);
	}
	assert_int_equal(kern_find("no-such-feature"), -EINVAL);
}

static void answers_are_steady_and_leave_nothing(void **state UNUSED)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int again;

	close(fd);
	for (int i = 0; i < KERN_N_FEATURES; i++) {
		bool has = kern_has((enum kern_feature)i);

		print_message("%-24s %s\n", kern_name((enum kern_feature)i), has ? "yes" : "no");
		assert_int_equal(kern_has((enum kern_feature)i), has);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	again = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(again, fd);
	close(again);
}

static void answers_agree_with_the_system(void **state UNUSED)
{
	assert_int_equal(kern_has(KERN_OPENAT2),
			 !(syscall(SYS_openat2, -1, NULL, NULL, 0) < 0 && errno == ENOSYS));
	assert_int_equal(kern_has(KERN_TIME_NS), access("/proc/self/ns/time", F_OK) == 0);
	assert_true(kern_has(KERN_PROC_CHILDREN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_feature_has_a_name_and_a_need),
		cmocka_unit_test(answers_are_steady_and_leave_nothing),
		cmocka_unit_test(answers_agree_with_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
