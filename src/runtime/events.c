#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"
#include "runtime/runtime.h"

#define FILE_MAX ((size_t)1 << 16)
#define NS_PER_US UINT64_C(1000)

/* A file of the container's group for the v1 controller, or else of the v2 group. NULL: not there.
 */
static char *read_file(const struct cgroup *cg, const char *controller, const char *v1,
		       const char *v2)
{
	const struct cgroup_part *part = cgroup_find(cg, controller);
	const char *name = part ? v1 : v2;
	cleanup_fd int dir = -EBADF;
	char *text = NULL;

	if (!part)
		part = cgroup_find(cg, "");
	if (!part || !name)
		return NULL;
	dir = cgroup_open_own(cg, part, NULL);
	if (dir < 0 || file_read_at(dir, name, FILE_MAX, &text, NULL, NULL) < 0)
		return NULL;
	return text;
}

/* "max" is no limit, as v1 words it. */
static json_int_t read_number(const struct cgroup *cg, const char *controller, const char *v1,
			      const char *v2)
{
	cleanup_free char *text = read_file(cg, controller, v1, v2);

	if (!text)
		return 0;
	if (strncmp(text, "max", 3) == 0)
		return INT64_MAX;
	return (json_int_t)strtoll(text, NULL, 10);
}

/* "key 123" lines as an object. */
static json_t *read_table(const struct cgroup *cg, const char *controller, const char *file)
{
	cleanup_free char *text = read_file(cg, controller, file, file);
	json_t *table = json_object();
	char *rest = text;
	char *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		(void)json_object_set_new(table, line,
					  json_integer((json_int_t)strtoll(value, NULL, 10)));
	}
	return table;
}

static json_int_t number_of(const json_t *table, const char *key)
{
	return json_integer_value(json_object_get(table, key));
}

static json_t *cpu_part(const struct cgroup *cg)
{
	cleanup_json json_t *stat = read_table(cg, "cpu", "cpu.stat");
	json_int_t total = read_number(cg, "cpuacct", "cpuacct.usage", NULL);
	json_int_t user = read_number(cg, "cpuacct", "cpuacct.usage_user", NULL);
	json_int_t kernel = read_number(cg, "cpuacct", "cpuacct.usage_sys", NULL);

	if (!cgroup_find(cg, "cpuacct")) { /* v2 counts in microseconds */
		total = number_of(stat, "usage_usec") * (json_int_t)NS_PER_US;
		user = number_of(stat, "user_usec") * (json_int_t)NS_PER_US;
		kernel = number_of(stat, "system_usec") * (json_int_t)NS_PER_US;
	}
	return json_pack("{s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}}", "usage", "total", total,
			 "kernel", kernel, "user", user, "throttling", "periods",
			 number_of(stat, "nr_periods"), "throttledPeriods",
			 number_of(stat, "nr_throttled"), "throttledTime",
			 json_object_get(stat, "throttled_time")
				 ? number_of(stat, "throttled_time")
				 : number_of(stat, "throttled_usec") * (json_int_t)NS_PER_US);
}

static json_t *memory_part(const struct cgroup *cg)
{
	return json_pack("{s:{s:I, s:I, s:I, s:I}, s:o}", "usage", "limit",
			 read_number(cg, "memory", "memory.limit_in_bytes", "memory.max"), "usage",
			 read_number(cg, "memory", "memory.usage_in_bytes", "memory.current"),
			 "max",
			 read_number(cg, "memory", "memory.max_usage_in_bytes", "memory.peak"),
			 "failcnt", read_number(cg, "memory", "memory.failcnt", NULL), "raw",
			 read_table(cg, "memory", "memory.stat"));
}

static int print_stats(const struct container *c, FILE *out, struct error *err)
{
	cleanup_json json_t *event = NULL;
	cleanup_free char *text = NULL;
	int r;

	event = json_pack("{s:s, s:s, s:{s:o, s:o, s:{s:I, s:I}}}", "type", "stats", "id", c->id,
			  "data", "cpu", cpu_part(&c->cgroup), "memory", memory_part(&c->cgroup),
			  "pids", "current",
			  read_number(&c->cgroup, "pids", "pids.current", "pids.current"), "limit",
			  read_number(&c->cgroup, "pids", "pids.max", "pids.max"));
	if (!event)
		return err_oom(err);
	r = json_format(event, 0, &text, err);
	if (r < 0)
		return r;
	if (fputs(text, out) < 0 || fflush(out) != 0)
		return err_sys(err, "print statistics");
	return 0;
}

int runtime_events(const struct runtime *rt, const char *id, int interval_ms, FILE *out,
		   struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_fd int pidfd = -EBADF;
	int r;

	r = container_open(rt, id, false, &c, err);
	if (r < 0)
		return r;
	if (container_status(&c) == CONTAINER_STOPPED)
		return err_set(err, -EBUSY, "container not running: '%s'", id);
	pidfd = procref_open(&c.init, err);
	if (pidfd < 0)
		return pidfd;
	for (;;) {
		struct pollfd end = { .fd = pidfd, .events = POLLIN };

		r = print_stats(&c, out, err);
		if (r < 0 || interval_ms <= 0)
			return r;
		if (poll(&end, 1, interval_ms) > 0)
			return 0; /* the container has ended */
	}
}
