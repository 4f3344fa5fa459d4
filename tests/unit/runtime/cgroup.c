#include "../cmocka-all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/cgroup-tasks.h"
#include "runtime/cgroup.h"

/* Hierarchies that exist nowhere; the process is in a group of one, one is not for us. */
static struct cgroup_hierarchy hierarchies[] = {
	{ .controllers = "memory", .mountpoint = "/nowhere/memory", .own = "/outer/us" },
	{ .controllers = "name=others", .mountpoint = "/nowhere/others", .own = "/" },
	{ .v2 = true, .controllers = "", .mountpoint = "/nowhere/unified", .own = "/" },
};
static const struct cgroupfs fake = { .hierarchies = hierarchies, .n = 3 };

static void paths(void **state UNUSED)
{
	static const struct {
		const char *wanted;
		const char *path; /* NULL: refused */
	} cases[] = {
		{ NULL, "/cryorun/c1" },
		{ "", "/cryorun/c1" },
		{ "/a/b", "/a/b" },
		{ "a//b/./c/", "/a/b/c" },
		{ "/outer/them", "/outer/them" },
		{ "system.slice:runc:c1", "/system.slice/runc-c1.scope" },
		{ "user-1000.slice:libpod:x", "/user.slice/user-1000.slice/libpod-x.scope" },
		{ "/", NULL },
		{ "///", NULL },
		{ "/a/../b", NULL },
		{ "..", NULL },
		{ "/outer", NULL },
		{ "/outer/us", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_cgroup struct cgroup cg = CGROUP_INIT;
		int r = cgroup_plan(&fake, cases[i].wanted, "c1", &cg, NULL);

		if (!cases[i].path) {
			assert_true(r < 0);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(cg.path, cases[i].path);
		assert_int_equal(cg.n, 2);
	}
}

/* What could come from a damaged state file: none of it opens. */
static void the_gate(void **state UNUSED)
{
	static const char *const bad[] = { "", "/", "relative", "/..", "/a/../..", "/nonexistent" };
	cleanup_cgroupfs struct cgroupfs all = CGROUPFS_INIT;

	assert_int_equal(cgroupfs_load(&all, NULL), 0);
	for (size_t h = 0; h < all.n; h++) {
		struct cgroup_part part = { .v2 = all.hierarchies[h].v2,
					    .controllers = all.hierarchies[h].controllers,
					    .mountpoint = all.hierarchies[h].mountpoint,
					    .inode = 1 };
		struct cgroup cg = { .parts = &part, .n = 1 };
		struct stat st;

		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			cg.path = bad[i];
			assert_true(cgroup_open_own(&cg, &part, NULL) < 0);
			assert_true(cgroup_signal(&cg, 0, NULL) <= 0);
			assert_true(cgroup_freeze(&cg, true, NULL) < 0);
		}
		/* Our own group, with the right inode: still no. */
		cg.path = all.hierarchies[h].own;
		if (strcmp(cg.path, "/") != 0 && stat(part.mountpoint, &st) == 0) {
			part.inode = st.st_ino;
			assert_int_equal(cgroup_open_own(&cg, &part, NULL), -EPERM);
		}
		part.inode = 0;
		cg.path = "/a";
		assert_int_equal(cgroup_open_own(&cg, &part, NULL), -ENOENT);
	}
}

static void remembered_and_read_again(void **state UNUSED)
{
	cleanup_cgroup struct cgroup cg = CGROUP_INIT;
	cleanup_cgroup struct cgroup again = CGROUP_INIT;
	cleanup_json json_t *json = NULL;

	assert_int_equal(cgroup_plan(&fake, "/x/y", "c1", &cg, NULL), 0);
	cg.parts[0].inode = UINT64_C(0x7fffffffffffff01);
	cg.parts[0].parents_made = 1;
	assert_int_equal(cgroup_to_json(&cg, &json, NULL), 0);
	assert_int_equal(cgroup_from_json(json, &again, NULL), 0);
	assert_string_equal(again.path, "/x/y");
	assert_int_equal(again.n, 2);
	assert_true(again.parts[0].inode == cg.parts[0].inode);
	assert_int_equal(again.parts[0].parents_made, 1);
	assert_string_equal(again.parts[0].controllers, "memory");
	assert_true(again.parts[1].v2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(the_gate),
		cmocka_unit_test(remembered_and_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
