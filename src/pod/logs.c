#include "pod/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

/* conmon splits longer lines itself; this bounds what a damaged file can make us keep. */
#define LINE_MAX_LEN (1 << 20)
#define BLOCK 65536

static int digits(const char **at, const char *end, int n, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*at)++) {
		if (*at >= end || **at < '0' || **at > '9')
			return -EINVAL;
		value = value * 10 + (**at - '0');
	}
	*ret = value;
	return 0;
}

static bool take(const char **at, const char *end, char c)
{
	if (*at >= end || **at != c)
		return false;
	(*at)++;
	return true;
}

/* ".123" -> 123000000 */
static int fraction(const char **at, const char *end, uint64_t *ret)
{
	uint64_t value = 0;
	uint64_t unit = NS_PER_SEC;

	while (*at < end && **at >= '0' && **at <= '9') {
		unit /= 10;
		value += unit * (uint64_t)(**at - '0');
		(*at)++;
	}
	*ret = value;
	return 0;
}

/* "Z" or "+01:30"; seconds east. */
static int zone(const char **at, const char *end, int *ret)
{
	int hours = 0;
	int minutes = 0;
	bool west;

	*ret = 0;
	if (take(at, end, 'Z'))
		return 0;
	west = *at < end && **at == '-';
	if (!west && (*at >= end || **at != '+'))
		return -EINVAL;
	(*at)++;
	if (digits(at, end, 2, &hours) < 0 || !take(at, end, ':') ||
	    digits(at, end, 2, &minutes) < 0)
		return -EINVAL;
	*ret = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return 0;
}

int log_parse_time(const char *text, size_t len, uint64_t *ret_ns)
{
	const char *at = text;
	const char *end = text + len;
	struct tm tm = { .tm_isdst = 0 };
	uint64_t nanoseconds = 0;
	int east = 0;
	time_t seconds;

	if (digits(&at, end, 4, &tm.tm_year) < 0 || !take(&at, end, '-') ||
	    digits(&at, end, 2, &tm.tm_mon) < 0 || !take(&at, end, '-') ||
	    digits(&at, end, 2, &tm.tm_mday) < 0)
		return -EINVAL;
	if (at < end) {
		if (!take(&at, end, 'T') || digits(&at, end, 2, &tm.tm_hour) < 0 ||
		    !take(&at, end, ':') || digits(&at, end, 2, &tm.tm_min) < 0 ||
		    !take(&at, end, ':') || digits(&at, end, 2, &tm.tm_sec) < 0)
			return -EINVAL;
		if (take(&at, end, '.'))
			(void)fraction(&at, end, &nanoseconds); /* can't fail */
		if (at < end && zone(&at, end, &east) < 0)
			return -EINVAL;
	}
	if (at != end || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = timegm(&tm) - east;
	if (seconds < 0)
		return -EINVAL;
	*ret_ns = (uint64_t)seconds * NS_PER_SEC + nanoseconds;
	return 0;
}

/* "1h30m", "90s" */
static int parse_duration(const char *word, uint64_t *ret_ns)
{
	uint64_t total = 0;

	if (!*word)
		return -EINVAL;
	while (*word) {
		char *end = NULL;
		unsigned long n = strtoul(word, &end, 10);
		uint64_t unit;

		if (end == word || *word == '-' || *word == '+' || n > UINT32_MAX)
			return -EINVAL;
		switch (*end) {
		case 's':
			unit = NS_PER_SEC;
			break;
		case 'm':
			unit = end[1] == 's' ? NS_PER_MS : 60 * NS_PER_SEC;
			break;
		case 'h':
			unit = 3600 * NS_PER_SEC;
			break;
		default:
			return -EINVAL;
		}
		word = end + (unit == NS_PER_MS ? 2 : 1);
		total += n * unit;
	}
	*ret_ns = total;
	return 0;
}

int log_parse_moment(const char *word, uint64_t now_ns, uint64_t *ret_ns, struct error *err)
{
	uint64_t ago = 0;
	char *end = NULL;
	unsigned long long seconds;

	if (log_parse_time(word, strlen(word), ret_ns) == 0)
		return 0;
	if (parse_duration(word, &ago) == 0) {
		*ret_ns = ago < now_ns ? now_ns - ago : 0;
		return 0;
	}
	seconds = strtoull(word, &end, 10);
	if (end != word && *end == '\0' && word[0] != '-' && seconds < UINT64_MAX / NS_PER_SEC) {
		*ret_ns = (uint64_t)seconds * NS_PER_SEC;
		return 0;
	}
	return err_set(err, -EINVAL, "'%s' is not a time: 2026-01-02T03:04:05Z, 1767322800 or 10m",
		       word);
}

int log_parse(const char *line, size_t len, struct log_record *ret)
{
	const char *end = line + len;
	const char *stream = memchr(line, ' ', len);
	const char *mark;
	struct log_record record;

	if (!stream || end - stream < 9)
		return -EBADMSG;
	record.time = line;
	record.time_len = (size_t)(stream - line);
	if (log_parse_time(line, record.time_len, &record.when_ns) < 0)
		return -EBADMSG;
	stream++;
	if (memcmp(stream, "stdout ", 7) == 0)
		record.stream = LOG_STREAM_OUT;
	else if (memcmp(stream, "stderr ", 7) == 0)
		record.stream = LOG_STREAM_ERR;
	else
		return -EBADMSG;
	mark = stream + 7;
	if (end - mark < 1 || (*mark != 'F' && *mark != 'P') || (mark + 1 < end && mark[1] != ' '))
		return -EBADMSG;
	record.partial = *mark == 'P';
	record.text = mark + 2 < end ? mark + 2 : end;
	record.text_len = (size_t)(end - record.text);
	*ret = record;
	return 0;
}

/* --- reading ----------------------------------------------------------------- */

struct reader {
	const struct log_query *query;
	int fd;
	char *data; /* a window of the file */
	size_t len;
	size_t size;
	uint64_t skip; /* whole lines still to pass over */
	uint64_t at;   /* offset of the window */
};

static int give(struct reader *r, const char *line, size_t len, struct error *err)
{
	struct log_record record;

	if (log_parse(line, len, &record) < 0)
		return 0; /* what is not a record was not written by the container */
	if (r->skip > 0) {
		if (!record.partial)
			r->skip--;
		return 0;
	}
	if (record.when_ns < r->query->since_ns || record.when_ns > r->query->until_ns)
		return 0;
	return r->query->each(r->query->arg, &record, err);
}

/* Gives all whole lines of the window and moves the rest to its front. */
static int give_lines(struct reader *r, struct error *err)
{
	size_t begin = 0;
	int result;

	for (;;) {
		const char *line = r->data + begin;
		const char *end = memchr(line, '\n', r->len - begin);

		if (!end)
			break;
		result = give(r, line, (size_t)(end - line), err);
		if (result < 0)
			return result;
		begin += (size_t)(end - line) + 1;
	}
	if (begin == 0 && r->len >= LINE_MAX_LEN)
		begin = r->len; /* no record is that long: pass over it */
	memmove(r->data, r->data + begin, r->len - begin);
	r->len -= begin;
	r->at += begin;
	return 0;
}

static int fill(struct reader *r, struct error *err)
{
	ssize_t n;

	if (r->size - r->len < BLOCK) {
		char *more = realloc(r->data, r->size + BLOCK);

		if (!more)
			return err_oom(err);
		r->data = more;
		r->size += BLOCK;
	}
	n = pread(r->fd, r->data + r->len, r->size - r->len, (off_t)(r->at + r->len));
	if (n < 0)
		return err_sys(err, "read the log");
	r->len += (size_t)n;
	return n > 0;
}

static int read_all(struct reader *r, struct error *err)
{
	int more;

	while ((more = fill(r, err)) > 0) {
		int result = give_lines(r, err);

		if (result < 0)
			return result;
	}
	return more;
}

static int count_line(void *arg, const struct log_record *record, struct error *err)
{
	uint64_t *n = arg;

	(void)err;
	*n += !record->partial;
	return 0;
}

static int count_lines(const struct reader *like, uint64_t *ret, struct error *err)
{
	struct log_query query = { .until_ns = UINT64_MAX, .each = count_line, .arg = ret };
	struct reader r = { .query = &query, .fd = like->fd, .at = like->at };
	int result = read_all(&r, err);

	free(r.data);
	return result;
}

int log_read(const char *path, const struct log_query *query, uint64_t *offset, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reader r = { .query = query, .fd = fd, .at = *offset };
	uint64_t lines = 0;
	int result = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open '%s'", path);
	if (query->tail >= 0) {
		result = count_lines(&r, &lines, err);
		if (lines > (uint64_t)query->tail)
			r.skip = lines - (uint64_t)query->tail;
	}
	if (result == 0)
		result = read_all(&r, err);
	*offset = r.at;
	free(r.data);
	return result < 0 ? err_wrap(err, result, "log '%s'", path) : 0;
}
