/*
 * logs: records of the k8s-file, times, and reading in parts.
 */
#include "pod/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include "../cmocka-all.h"

static int parse(const char *line, struct log_record *ret)
{
	return log_parse(line, strlen(line), ret);
}

static void records(void **state)
{
	struct log_record r;

	(void)state;
	assert_int_equal(parse("2026-01-02T03:04:05.000000001+00:00 stdout F hello world", &r), 0);
	assert_int_equal(r.stream, LOG_STREAM_OUT);
	assert_false(r.partial);
	assert_int_equal(r.text_len, 11);
	assert_memory_equal(r.text, "hello world", 11);
	assert_int_equal(r.when_ns, UINT64_C(1767323045000000001));
	assert_int_equal(parse("2026-01-02T03:04:05Z stderr P ", &r), 0);
	assert_int_equal(r.stream, LOG_STREAM_ERR);
	assert_true(r.partial);
	assert_int_equal(r.text_len, 0);
	assert_int_equal(parse("2026-01-02T03:04:05Z stdout F", &r), 0);
	assert_int_equal(r.text_len, 0);
}

static void what_is_no_record(void **state)
{
	static const char *const lines[] = {
		"",
		"hello",
		"2026-01-02T03:04:05Z",
		"2026-01-02T03:04:05Z stdout",
		"2026-01-02T03:04:05Z stdout ",
		"2026-01-02T03:04:05Z stdout X text",
		"2026-01-02T03:04:05Z stdout Fx text",
		"2026-01-02T03:04:05Z stdlog F text",
		"2026-13-02T03:04:05Z stdout F text",
		"2026-01-02T99:04:05Z stdout F text",
		"yesterday stdout F text",
	};
	struct log_record r;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse(lines[i], &r), -EBADMSG);
}

static void moments(void **state)
{
	uint64_t now = UINT64_C(1767323045) * NS_PER_SEC;
	uint64_t ns = 0;

	(void)state;
	assert_int_equal(log_parse_moment("2026-01-02T03:04:05Z", now, &ns, NULL), 0);
	assert_int_equal(ns, now);
	assert_int_equal(log_parse_moment("2026-01-02T04:34:05+01:30", now, &ns, NULL), 0);
	assert_int_equal(ns, now);
	assert_int_equal(log_parse_moment("2026-01-02", now, &ns, NULL), 0);
	assert_int_equal(ns, now - (3 * 3600 + 4 * 60 + 5) * NS_PER_SEC);
	assert_int_equal(log_parse_moment("1h30m5s", now, &ns, NULL), 0);
	assert_int_equal(ns, now - 5405 * NS_PER_SEC);
	assert_int_equal(log_parse_moment("1767323045", now, &ns, NULL), 0);
	assert_int_equal(ns, now);
	assert_int_equal(log_parse_moment("soon", now, &ns, NULL), -EINVAL);
	assert_int_equal(log_parse_moment("", now, &ns, NULL), -EINVAL);
	assert_int_equal(log_parse_moment("-5m", now, &ns, NULL), -EINVAL);
	assert_int_equal(log_parse_moment("5x", now, &ns, NULL), -EINVAL);
}

static int collect(void *arg, const struct log_record *record, struct error *err)
{
	struct buf *out = arg;

	(void)err;
	buf_add(out, record->text, record->text_len);
	if (!record->partial)
		buf_adds(out, "|");
	return 0;
}

struct file {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct file *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->path, sizeof(f->path), "/tmp/test-pod-logs.XXXXXX");
	f->fd = mkstemp(f->path);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct file *f = *state;

	assert_int_equal(unlink(f->path), 0);
	close(f->fd);
	free(f);
	return 0;
}

static void add(const struct file *f, const char *text)
{
	assert_int_equal(write(f->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect(const struct file *f, int64_t tail, uint64_t *offset, const char *wanted)
{
	struct buf out = BUF_INIT;
	struct log_query query = {
		.tail = tail,
		.until_ns = UINT64_MAX,
		.each = collect,
		.arg = &out,
	};

	assert_int_equal(log_read(f->path, &query, offset, NULL), 0);
	assert_string_equal(buf_str(&out), wanted);
	buf_done(&out);
}

#define T "2026-01-02T03:04:05Z "

static void a_growing_file_is_read_once(void **state)
{
	const struct file *f = *state;
	uint64_t offset = 0;

	expect(f, -1, &offset, "");
	add(f, T "stdout F one\n" T "stdout P tw");
	expect(f, -1, &offset, "one|");
	add(f, "o \n" T "stdout F parts\n");
	expect(f, -1, &offset, "two parts|");
	expect(f, -1, &offset, "");
}

static void tail_counts_whole_lines(void **state)
{
	const struct file *f = *state;
	uint64_t offset = 0;

	add(f, T "stdout F one\n" T "stdout P tw\n" T "stdout F o\nnot a record\n" T
		 "stdout F three\n");
	expect(f, 2, &offset, "two|three|");
	offset = 0;
	expect(f, 0, &offset, "");
	offset = 0;
	expect(f, 99, &offset, "one|two|three|");
}

static void more_than_a_block(void **state)
{
	const struct file *f = *state;
	struct buf wanted = BUF_INIT;
	struct buf text = BUF_INIT;
	uint64_t offset = 0;

	for (int i = 0; i < 20000; i++) {
		buf_addf(&text, T "stdout F %d\n", i);
		buf_addf(&wanted, "%d|", i);
	}
	add(f, buf_str(&text));
	expect(f, -1, &offset, buf_str(&wanted));
	offset = 0;
	expect(f, 2, &offset, "19998|19999|");
	buf_done(&text);
	buf_done(&wanted);
}

static void an_absent_file_is_empty(void **state)
{
	struct file none = { .path = "/tmp/test-pod-logs-none" };
	uint64_t offset = 0;

	(void)state;
	expect(&none, -1, &offset, "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(what_is_no_record),
		cmocka_unit_test(moments),
		TEST(a_growing_file_is_read_once),
		TEST(tail_counts_whole_lines),
		TEST(more_than_a_block),
		cmocka_unit_test(an_absent_file_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
