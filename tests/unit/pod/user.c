/*
 * user: who somebody is inside a root, and that nothing outside it is asked.
 */
#include "pod/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

#include "../cmocka-all.h"

struct root {
	char path[64];
	int fd;
};

static void put(const struct root *r, const char *name, const char *text)
{
	assert_int_equal(file_write_atomic_at(r->fd, name, text, strlen(text), 0644, NULL), 0);
}

static int set_up(void **state)
{
	struct root *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	(void)snprintf(r->path, sizeof(r->path), "/tmp/test-pod-user.XXXXXX");
	assert_non_null(mkdtemp(r->path));
	r->fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(r->fd >= 0);
	assert_int_equal(mkdirat(r->fd, "etc", 0755), 0);
	put(r, "etc/passwd",
	    "root:x:0:0:root:/root:/bin/sh\nbroken line\nbob:x:1000:100::/home/bob:/bin/sh\n"
	    "nohome:x:7:7:::\n");
	put(r, "etc/group", "root:x:0:\nusers:x:100:\nwheel:x:10:alice,bob\nbobby:x:11:bobby\n");
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct root *r = *state;

	close(r->fd);
	assert_int_equal(file_remove_tree_at(AT_FDCWD, r->path, NULL), 0);
	free(r);
	return 0;
}

static void by_name_and_number(void **state)
{
	const struct root *r = *state;
	struct user u;

	assert_int_equal(user_find(r->fd, "", &u, NULL), 0);
	assert_int_equal(u.uid, 0);
	assert_string_equal(u.home, "/root");
	assert_int_equal(user_find(r->fd, "bob", &u, NULL), 0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 100);
	assert_string_equal(u.home, "/home/bob");
	assert_int_equal(u.n_groups, 1);
	assert_int_equal(u.groups[0], 10);
	assert_int_equal(user_find(r->fd, "1000", &u, NULL), 0);
	assert_int_equal(u.gid, 100);
	assert_int_equal(user_find(r->fd, "4242", &u, NULL), 0);
	assert_int_equal(u.uid, 4242);
	assert_int_equal(u.gid, 0);
	assert_string_equal(u.home, "/");
	assert_int_equal(user_find(r->fd, "nohome", &u, NULL), 0);
	assert_string_equal(u.home, "/");
}

static void with_a_group(void **state)
{
	const struct root *r = *state;
	struct user u;

	assert_int_equal(user_find(r->fd, "bob:wheel", &u, NULL), 0);
	assert_int_equal(u.gid, 10);
	assert_int_equal(u.n_groups, 0);
	assert_int_equal(user_find(r->fd, "5:6", &u, NULL), 0);
	assert_int_equal(u.uid, 5);
	assert_int_equal(u.gid, 6);
	assert_int_equal(user_find(r->fd, ":users", &u, NULL), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(u.gid, 100);
}

static void the_unknown(void **state)
{
	const struct root *r = *state;
	struct error err = ERROR_INIT;
	struct user u;

	assert_int_equal(user_find(r->fd, "eve", &u, &err), -ENOENT);
	assert_string_equal(err.text,
			    "unable to find user eve: no matching entries in passwd file");
	assert_int_equal(user_find(r->fd, "bob:eve", &u, &err), -ENOENT);
	assert_int_equal(user_find(r->fd, "99999999999", &u, &err), -ENOENT);
	assert_int_equal(user_find(r->fd, "-1", &u, &err), -ENOENT);
}

static void an_image_without_tables(void **state)
{
	const struct root *r = *state;
	struct user u;

	assert_int_equal(unlinkat(r->fd, "etc/passwd", 0), 0);
	assert_int_equal(unlinkat(r->fd, "etc/group", 0), 0);
	assert_int_equal(user_find(r->fd, "", &u, NULL), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(user_find(r->fd, "root", &u, NULL), -ENOENT);
}

/* A link to our own table must be taken as the container would take it. */
static void links_do_not_lead_out(void **state)
{
	const struct root *r = *state;
	struct user u;

	assert_int_equal(unlinkat(r->fd, "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("../../../../../../etc/passwd", r->fd, "etc/passwd"), 0);
	assert_true(user_find(r->fd, "daemon", &u, NULL) < 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(by_name_and_number),      TEST(with_a_group),	    TEST(the_unknown),
		TEST(an_image_without_tables), TEST(links_do_not_lead_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
