#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define HELD_MAX ((size_t)32 << 10)

static struct {
	int fd;
	enum log_level level;
	enum log_format format;
	uint64_t start_ns;
	bool holding;
	size_t n_held;
	char held[HELD_MAX];
} logger = { .fd = STDERR_FILENO, .level = LOG_LEVEL_WARN };

static const char *const level_names[] = { "none", "error", "warning", "info", "debug" };

void log_set_fd(int fd)
{
	logger.fd = fd;
}

void log_set_level(enum log_level level)
{
	logger.level = level;
}

void log_set_format(enum log_format format)
{
	logger.format = format;
}

bool log_enabled(enum log_level level)
{
	return level <= logger.level;
}

/* "../src/ckpt/fd-pipe.c" -> "fd-pipe" */
static void module_of(const char *file, char *module, size_t size)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;
	const char *dot = strrchr(name, '.');

	(void)snprintf(module, size, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
}

static size_t put_json_string(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s && n + 7 < size; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c < 0x20) {
			n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
		} else {
			out[n++] = (char)c;
		}
	}
	out[n] = '\0';
	return n;
}

static int format_json(char *line, size_t size, enum log_level level, const char *text)
{
	char quoted[3072];
	char when[64];
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* can't fail with this clock */
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)put_json_string(quoted, sizeof(quoted), text);
	return snprintf(line, size, "{\"level\":\"%s\",\"msg\":\"%s\",\"time\":\"%s\"}\n",
			level_names[level], quoted, when);
}

static int format_text(char *line, size_t size, enum log_level level, const char *file,
		       const char *text)
{
	uint64_t us = (clock_mono_ns() - logger.start_ns) / 1000;
	char module[64];

	module_of(file, module, sizeof(module));
	return snprintf(line, size, "(%02" PRIu64 ".%06" PRIu64 ") %s%s: %s\n", us / 1000000,
			us % 1000000,
			level == LOG_LEVEL_ERROR  ? "Error "
			: level == LOG_LEVEL_WARN ? "Warn  "
						  : "",
			module, text);
}

static void write_out(const char *text, size_t len)
{
	if (len > 0 && write(logger.fd, text, len) < 0)
		logger.level = LOG_LEVEL_NONE; /* nobody can read it: stop trying */
}

void log_hold(void)
{
	logger.holding = true;
}

static void write_held(void)
{
	write_out(logger.held, logger.n_held);
	logger.n_held = 0;
}

void log_flush(void)
{
	int saved = errno;

	logger.holding = false;
	write_held();
	errno = saved;
}

static void put(enum log_level level, const char *line, size_t len)
{
	if (len > HELD_MAX - logger.n_held || level <= LOG_LEVEL_ERROR)
		write_held();
	if (!logger.holding || level <= LOG_LEVEL_ERROR) {
		write_out(line, len);
		return;
	}
	memcpy(logger.held + logger.n_held, line, len);
	logger.n_held += len;
}

void log_line(enum log_level level, const char *file, const char *fmt, ...)
{
	int saved = errno;
	char text[2560];
	char line[4096];
	va_list ap;
	int n;

	if (logger.start_ns == 0)
		logger.start_ns = clock_mono_ns();
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut line is better than none */
	va_end(ap);
	n = logger.format == LOG_FORMAT_JSON ? format_json(line, sizeof(line), level, text)
					     : format_text(line, sizeof(line), level, file, text);
	if (n >= (int)sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	if (n > 0)
		put(level, line, (size_t)n);
	errno = saved;
}
