/*
 * words: names, ids, durations, detach keys, and what a runtime complains about.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "pod/attach.h"
#include "pod/create.h"
#include "pod/human.h"
#include "pod/oci.h"

#include "../cmocka-all.h"

static void durations(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *words;
	} cases[] = {
		{ 0, "Less than a second" }, { 1, "1 second" },		 { 59, "59 seconds" },
		{ 60, "About a minute" },    { 130, "2 minutes" },	 { 3600, "About an hour" },
		{ 3 * 3600, "3 hours" },     { 47 * 3600, "47 hours" },	 { 48 * 3600, "2 days" },
		{ 21 * 86400, "3 weeks" },   { 90 * 86400, "3 months" }, { 800 * 86400, "2 years" },
	};
	char words[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		human_duration(cases[i].seconds * NS_PER_SEC, words, sizeof(words));
		assert_string_equal(words, cases[i].words);
	}
}

static void times(void **state)
{
	char words[64];

	(void)state;
	format_time(0, words, sizeof(words));
	assert_string_equal(words, "0001-01-01T00:00:00Z");
	format_time(UINT64_C(1767323045000000001), words, sizeof(words));
	assert_string_equal(words, "2026-01-02T03:04:05.000000001Z");
}

static void names_and_ids(void **state)
{
	char id[ID_LEN + 1];
	char other[ID_LEN + 1];
	char name[128];

	(void)state;
	assert_int_equal(id_generate(id, NULL), 0);
	assert_int_equal(id_generate(other, NULL), 0);
	assert_int_equal(strspn(id, "0123456789abcdef"), ID_LEN);
	assert_string_not_equal(id, other);
	assert_int_equal(name_generate(name, sizeof(name), NULL), 0);
	assert_int_equal(name_check(name, NULL), 0);
	assert_non_null(strchr(name, '_'));
	assert_int_equal(name_check("", NULL), -EINVAL);
	assert_int_equal(name_check("-x", NULL), -EINVAL);
	assert_int_equal(name_check("a/b", NULL), -EINVAL);
	assert_int_equal(name_check("a b", NULL), -EINVAL);
	assert_int_equal(name_check("a.b_c-9", NULL), 0);
}

static void detach_keys(void **state)
{
	unsigned char keys[4];

	(void)state;
	assert_int_equal(detach_keys_parse("ctrl-p,ctrl-q", keys, 4, NULL), 2);
	assert_int_equal(keys[0], 16);
	assert_int_equal(keys[1], 17);
	assert_int_equal(detach_keys_parse("a,ctrl-]", keys, 4, NULL), 2);
	assert_int_equal(keys[1], 29);
	assert_int_equal(detach_keys_parse("", keys, 4, NULL), 0);
	assert_int_equal(detach_keys_parse("ctrl-", keys, 4, NULL), -EINVAL);
	assert_int_equal(detach_keys_parse("ctrl-1", keys, 4, NULL), -EINVAL);
	assert_int_equal(detach_keys_parse("a,b,c,d,e", keys, 4, NULL), -EINVAL);
}

static void expect_complaint(const char *output, const char *wanted, const char *wanted_hint)
{
	char words[256];
	char hint[256];

	oci_last_words(output, words, sizeof(words), hint, sizeof(hint));
	assert_string_equal(words, wanted);
	assert_string_equal(hint, wanted_hint);
}

static void complaints(void **state)
{
	(void)state;
	expect_complaint("", "", "");
	expect_complaint("\n\n", "", "");
	expect_complaint("first\nlast\n\n", "last", "");
	expect_complaint("cryorun: no such thing\nhint: make one\n", "no such thing", "make one");
	expect_complaint("time=\"x\" level=error msg=\"exec: \\\"a\\\": gone\"\n",
			 "exec: \"a\": gone", "");
	expect_complaint("time=\"x\" level=error msg=\"cut", "cut", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),	 cmocka_unit_test(times),
		cmocka_unit_test(names_and_ids), cmocka_unit_test(detach_keys),
		cmocka_unit_test(complaints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
