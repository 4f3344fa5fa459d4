/*
 * stats: CRIU's statistics image, whole, cut, and strange.
 */
#include "pod/stats.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

#include "../cmocka-all.h"

#define HEAD 0x40, 0x59, 0x10, 0x55, 0x06, 0x33, 0x09, 0x57

/* dump { freezing 300, frozen 5, memdump 0, memwrite 7, scanned 8, skipped 9, written 10, lazy 0 }
 */
static const unsigned char dump[] = {
	HEAD, 19,   0,	  0,	0, /* length */
	0x0a, 17,		   /* field 1, 17 bytes */
	0x08, 0xac, 0x02, 0x10, 5, 0x18, 0, 0x20, 7, 0x28, 8, 0x30, 9, 0x38, 10, 0x48, 0,
};

static void a_dump(void **state)
{
	json_t *stats = NULL;

	(void)state;
	assert_int_equal(stats_parse(dump, sizeof(dump), STATS_DUMP, &stats, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(stats, "freezing_time")), 300);
	assert_int_equal(json_integer_value(json_object_get(stats, "frozen_time")), 5);
	assert_int_equal(json_integer_value(json_object_get(stats, "pages_written")), 10);
	/* what is zero is left out, what Podman does not show as well */
	assert_int_equal(json_object_size(stats), 5);
	json_decref(stats);
}

static void the_other_kind_is_empty(void **state)
{
	json_t *stats = NULL;

	(void)state;
	assert_int_equal(stats_parse(dump, sizeof(dump), STATS_RESTORE, &stats, NULL), 0);
	assert_int_equal(json_object_size(stats), 0);
	json_decref(stats);
}

static void each_cut_is_refused(void **state)
{
	json_t *stats = NULL;

	(void)state;
	for (size_t len = 0; len < sizeof(dump); len++)
		assert_int_equal(stats_parse(dump, len, STATS_DUMP, &stats, NULL), -EBADMSG);
	assert_null(stats);
}

static void damage_is_refused(void **state)
{
	struct error err = ERROR_INIT;
	unsigned char bad[sizeof(dump)];
	json_t *stats = NULL;

	(void)state;
	memcpy(bad, dump, sizeof(dump));
	bad[0] ^= 1;
	assert_int_equal(stats_parse(bad, sizeof(bad), STATS_DUMP, &stats, &err), -EBADMSG);
	memcpy(bad, dump, sizeof(dump));
	bad[13] = 200; /* the inner message would be longer than the outer */
	assert_int_equal(stats_parse(bad, sizeof(bad), STATS_DUMP, &stats, &err), -EBADMSG);
	memcpy(bad, dump, sizeof(dump));
	memset(bad + 15, 0xff, sizeof(bad) - 15); /* a number without an end */
	assert_int_equal(stats_parse(bad, sizeof(bad), STATS_DUMP, &stats, &err), -EBADMSG);
	assert_int_equal(stats_read("/nonexistent", STATS_DUMP, &stats, &err), -ENOENT);
	assert_null(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump),
		cmocka_unit_test(the_other_kind_is_empty),
		cmocka_unit_test(each_cut_is_refused),
		cmocka_unit_test(damage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
