#include "pod/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static void count(uint64_t n, const char *unit, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%" PRIu64 " %s%s", n, unit, n == 1 ? "" : "s");
}

void human_duration(uint64_t ns, char *ret, size_t size)
{
	uint64_t seconds = ns / NS_PER_SEC;

	if (seconds < 1)
		(void)snprintf(ret, size, "Less than a second");
	else if (seconds < MINUTE)
		count(seconds, "second", ret, size);
	else if (seconds < 2 * MINUTE)
		(void)snprintf(ret, size, "About a minute");
	else if (seconds < HOUR)
		count(seconds / MINUTE, "minute", ret, size);
	else if (seconds < 2 * HOUR)
		(void)snprintf(ret, size, "About an hour");
	else if (seconds < 2 * DAY)
		count(seconds / HOUR, "hour", ret, size);
	else if (seconds < 14 * DAY)
		count(seconds / DAY, "day", ret, size);
	else if (seconds < UINT64_C(60) * DAY)
		count(seconds / (7 * DAY), "week", ret, size);
	else if (seconds < UINT64_C(730) * DAY)
		count(seconds / (30 * DAY), "month", ret, size);
	else
		count(seconds / (365 * DAY), "year", ret, size);
}

void human_size(uint64_t bytes, char *ret, size_t size)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1000;
		unit++;
	}
	(void)snprintf(ret, size, "%.3g %s", value, units[unit]);
}

static void break_down(uint64_t real_ns, struct tm *ret)
{
	time_t seconds = (time_t)(real_ns / NS_PER_SEC);

	(void)gmtime_r(&seconds, ret); /* a 64-bit count of nanoseconds always fits */
}

void format_time(uint64_t real_ns, char *ret, size_t size)
{
	char date[40] = "";
	struct tm tm;

	if (real_ns == 0) {
		(void)snprintf(ret, size, "0001-01-01T00:00:00Z");
		return;
	}
	break_down(real_ns, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(ret, size, "%s.%09" PRIu64 "Z", date, real_ns % NS_PER_SEC);
}

void format_time_plain(uint64_t real_ns, char *ret, size_t size)
{
	char date[40] = "";
	struct tm tm;

	break_down(real_ns, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(ret, size, "%s.%09" PRIu64 " +0000 UTC", date, real_ns % NS_PER_SEC);
}
