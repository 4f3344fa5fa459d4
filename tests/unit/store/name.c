#include "../cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "store/name.h"
#include "store/registries.h"

static void use_registries(const char *text)
{
	char path[] = "/tmp/cryopod-test-registries-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
	(void)unlink(getenv("CONTAINERS_REGISTRIES_CONF") ? getenv("CONTAINERS_REGISTRIES_CONF")
							  : "/nonexistent");
	assert_int_equal(setenv("CONTAINERS_REGISTRIES_CONF", path, 1), 0);
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(getenv("CONTAINERS_REGISTRIES_CONF"));
	return unsetenv("CONTAINERS_REGISTRIES_CONF");
}

static void assert_full(const char *typed, const char *full)
{
	cleanup_name struct name name = NAME_INIT;
	struct error err = ERROR_INIT;
	char *text = NULL;

	assert_int_equal(name_parse(typed, &name, &err), 0);
	assert_int_equal(name_format(&name, &text, NULL), 0);
	assert_string_equal(text, full);
	free(text);
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_full_names(void **state)
{
	(void)state;
	assert_full("quay.io/a/b", "quay.io/a/b:latest");
	assert_full("quay.io/a/b:v1", "quay.io/a/b:v1");
	assert_full("localhost/x", "localhost/x:latest");
	assert_full("host:5000/x", "host:5000/x:latest");
	assert_full("host:5000/x:y", "host:5000/x:y");
	assert_full("[::1]:5000/x", "[::1]:5000/x:latest");
	assert_full("docker.io/busybox", "docker.io/library/busybox:latest");
	assert_full("docker.io/library/busybox", "docker.io/library/busybox:latest");
	assert_full("docker.io/team/app:1", "docker.io/team/app:1");
	assert_full("index.docker.io/busybox", "docker.io/library/busybox:latest");
	assert_full("quay.io/a@sha256:" HEX, "quay.io/a@sha256:" HEX);
	assert_full("quay.io/a:tag@sha256:" HEX, "quay.io/a@sha256:" HEX);
	assert_full("a__b-c--d.e/f", "a__b-c--d.e/f:latest"); /* the dot makes it a domain */
	assert_full("team/a__b-c--d.e", "team/a__b-c--d.e:latest");
}

static void test_what_is_no_name(void **state)
{
	static const char *const bad[] = {
		"",	     ":",	   "x:",    "/x",      "x/",	   "a//b",
		"x y",	     "-x",	   "x-",    "a..b/c/", "x:-t",	   "x:t t",
		"x@sha256:", "x@md5:" HEX, "a___b", "_a",      "quay.io/", "x@sha256:" HEX "0",
		"\xc3\xbc"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct name name = NAME_INIT;
		struct error err = ERROR_INIT;

		if (name_parse(bad[i], &name, &err) != -EINVAL)
			fail_msg("'%s' was taken for a name", bad[i]);
		assert_non_null(strstr(err.text, "invalid reference format"));
	}
}

static void test_upper_case_has_its_own_words(void **state)
{
	struct name name = NAME_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(name_parse("localhost/Foo:Bar", &name, &err), -EINVAL);
	assert_string_equal(err.text, "repository name must be lowercase: 'localhost/Foo:Bar'");
}

static void test_new_names_are_local(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(name_make_local("x", &text, NULL), 0);
	assert_string_equal(text, "localhost/x:latest");
	free(text);
	assert_int_equal(name_make_local("team/x:1", &text, NULL), 0);
	assert_string_equal(text, "localhost/team/x:1");
	free(text);
	assert_int_equal(name_make_local("quay.io/x:1", &text, NULL), 0);
	assert_string_equal(text, "quay.io/x:1");
	free(text);
	assert_int_equal(name_make_local("x@sha256:" HEX, &text, NULL), -EINVAL);
}

static void assert_list(const struct strv *list, const char *joined)
{
	char text[1024] = "";

	for (size_t i = 0; i < list->n; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, list->items[i]);
	}
	assert_string_equal(text, joined);
}

static void test_short_names_by_registries_conf(void **state)
{
	cleanup_strv struct strv candidates = STRV_INIT;
	cleanup_strv struct strv sources = STRV_INIT;
	cleanup_strv struct strv alias = STRV_INIT;

	(void)state;
	use_registries("unqualified-search-registries = [\"quay.io\",\n 'docker.io', # two\n]\n"
		       "[aliases]\n\"nick\" = \"example.org/real/name\"\n"
		       "[[registry]]\nlocation = \"x\"\ninsecure = true\n");
	assert_int_equal(name_sources("x:1", &sources, NULL), 0);
	assert_list(&sources, "quay.io/x:1 docker.io/library/x:1");
	assert_int_equal(name_candidates("x:1", &candidates, NULL), 0);
	assert_list(&candidates, "localhost/x:1 quay.io/x:1 docker.io/library/x:1");
	assert_int_equal(name_sources("nick:v2", &alias, NULL), 0);
	assert_list(&alias, "example.org/real/name:v2");
}

static void test_nowhere_to_look(void **state)
{
	cleanup_strv struct strv sources = STRV_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	use_registries("short-name-mode = \"enforcing\"\n");
	assert_int_equal(name_sources("no-alias-has-this", &sources, &err), -ENOENT);
	assert_non_null(strstr(err.text, "short-name \"no-alias-has-this\" did not resolve"));
}

static void test_lines_that_cant_be_read(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} bad[] = {
		{ "a = 1\nb = \"x", "'f' line 2: a string without its end" },
		{ "unqualified-search-registries = 3",
		  "'f' line 1: a list of strings was expected" },
		{ "unqualified-search-registries = [\"a\" \"b\"]", "',' or ']' was expected" },
		{ "[aliases\n", "']' was expected" },
		{ "[aliases]\na = 3", "'f' line 2: a string was expected" },
		{ "x\n", "'=' was expected" },
		{ "x = [1, [2]", "a list without its end" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cleanup_registries struct registries registries = REGISTRIES_INIT;
		struct error err = ERROR_INIT;

		assert_int_equal(registries_parse("f", bad[i].text, &registries, &err), -EBADMSG);
		if (!strstr(err.text, bad[i].words))
			fail_msg("'%s': '%s'", bad[i].text, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_names),
		cmocka_unit_test(test_what_is_no_name),
		cmocka_unit_test(test_upper_case_has_its_own_words),
		cmocka_unit_test(test_new_names_are_local),
		cmocka_unit_test_teardown(test_short_names_by_registries_conf, tear_down),
		cmocka_unit_test_teardown(test_nowhere_to_look, tear_down),
		cmocka_unit_test(test_lines_that_cant_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
