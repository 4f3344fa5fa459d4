#include "../cmocka-all.h"

#include "base/cgroupfs.h"
#include "base/cleanup.h"

static void a_group_covers_itself_and_what_is_below(void **state UNUSED)
{
	assert_true(cgroup_path_covers("/", "/"));
	assert_true(cgroup_path_covers("/", "/a/b"));
	assert_true(cgroup_path_covers("", "/a"));
	assert_true(cgroup_path_covers("/a", "/a"));
	assert_true(cgroup_path_covers("/a/", "/a/b"));
	assert_true(cgroup_path_covers("/a//", "/a"));
	assert_false(cgroup_path_covers("/a", "/ab"));
	assert_false(cgroup_path_covers("/a/b", "/a"));
	assert_false(cgroup_path_covers("/a", "/"));
}

static void controllers_are_whole_words(void **state UNUSED)
{
	assert_true(cgroup_controllers_have("cpu,cpuacct", "cpu"));
	assert_true(cgroup_controllers_have("cpu,cpuacct", "cpuacct"));
	assert_true(cgroup_controllers_have("name=systemd", "name=systemd"));
	assert_false(cgroup_controllers_have("cpuacct", "cpu"));
	assert_false(cgroup_controllers_have("", "cpu"));
}

/* The layout is the machine's; what must hold is that each path is ours. */
static void hierarchies_of_this_machine(void **state UNUSED)
{
	cleanup_cgroupfs struct cgroupfs all = CGROUPFS_INIT;

	assert_int_equal(cgroupfs_load(&all, NULL), 0);
	assert_true(all.n > 0);
	for (size_t i = 0; i < all.n; i++) {
		assert_int_equal(all.hierarchies[i].mountpoint[0], '/');
		assert_int_equal(all.hierarchies[i].own[0], '/');
		assert_true(all.hierarchies[i].v2 == !*all.hierarchies[i].controllers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_covers_itself_and_what_is_below),
		cmocka_unit_test(controllers_are_whole_words),
		cmocka_unit_test(hierarchies_of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
