/*
 * log: what happens, for those who ask.
 *
 * Libraries use log_debug only (and log_warn where a guard tears); programs
 * print the one error at the end themselves. One sink for the process, set
 * once by main: standard error, or a file. Lines carry seconds since the
 * first line (CLOCK_MONOTONIC), the level and the file the line comes from.
 */
#pragma once

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_NONE = 0,
	LOG_LEVEL_ERROR = 1,
	LOG_LEVEL_WARN = 2,
	LOG_LEVEL_INFO = 3,
	LOG_LEVEL_DEBUG = 4,
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Lines go to `fd` from now on; the logger does not own or close it. */
void log_set_fd(int fd);
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
bool log_enabled(enum log_level level);

/* Lines wait in memory until log_flush(): while others stand still for us, no time goes into
 * writing. Errors and what no longer fits are written at once, after what waits. */
void log_hold(void);
void log_flush(void);

void log_line(enum log_level level, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		if (log_enabled(level))                                                            \
			log_line((level), __FILE__, __VA_ARGS__);                                  \
	} while (0)
#define log_err(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
