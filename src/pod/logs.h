/*
 * logs: reading what a container wrote, from conmon's k8s-file:
 *
 *	2026-01-02T03:04:05.123456789+00:00 stdout F text
 *
 * F: the line is whole; P: it goes on in the next record of the same stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum log_stream { LOG_STREAM_OUT, LOG_STREAM_ERR };

struct log_record {
	const char *time; /* as written, `time_len` bytes; borrowed */
	size_t time_len;
	uint64_t when_ns;
	enum log_stream stream;
	bool partial;
	const char *text; /* without the newline; borrowed */
	size_t text_len;
};

/* One line without its newline. -EBADMSG: not a record. */
int log_parse(const char *line, size_t len, struct log_record *ret);

/* RFC 3339 -> nanoseconds since 1970; -EINVAL. */
int log_parse_time(const char *text, size_t len, uint64_t *ret_ns);

/* "2026-01-02T03:04:05Z", "2026-01-02", "1767322800", or "10m": that long ago. */
int log_parse_moment(const char *word, uint64_t now_ns, uint64_t *ret_ns, struct error *err);

struct log_query {
	int64_t tail; /* whole lines from the end; negative: all */
	uint64_t since_ns;
	uint64_t until_ns; /* UINT64_MAX: no end */
	int (*each)(void *arg, const struct log_record *record, struct error *err);
	void *arg;
};

/*
 * Reads from *offset to the end of the file, and moves the offset behind the last
 * whole record. `tail` counts from *offset. A file that is absent is empty.
 */
int log_read(const char *path, const struct log_query *query, uint64_t *offset, struct error *err);
