/*
 * human: times and sizes as people say them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "Less than a second", "3 seconds", "About an hour", "2 weeks" */
void human_duration(uint64_t ns, char *ret, size_t size);

/* "2.13 MB": decimal units, three digits */
void human_size(uint64_t bytes, char *ret, size_t size);

/* RFC 3339 with nanoseconds, UTC; 0 is the year 1, as Go writes an empty time. */
void format_time(uint64_t real_ns, char *ret, size_t size);

/* "2026-01-02 03:04:05.123456789 +0000 UTC" */
void format_time_plain(uint64_t real_ns, char *ret, size_t size);
