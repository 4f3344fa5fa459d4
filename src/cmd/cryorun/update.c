#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

#define RESOURCES_MAX ((size_t)1 << 20)

struct update_values {
	const char *resources;
	const char *blkio_weight;
	const char *cpu_period;
	const char *cpu_quota;
	const char *cpu_burst;
	const char *cpu_shares;
	const char *cpu_rt_period;
	const char *cpu_rt_runtime;
	const char *cpu_idle;
	const char *cpus;
	const char *mems;
	const char *memory;
	const char *memory_reservation;
	const char *memory_swap;
	const char *pids_limit;
	const char *l3_cache;
	const char *memory_bandwidth;
};

#define VALUE(n, field, a, h) OPT_STRING(0, n, struct update_values, field, a, h)

static const struct opt options[] = {
	OPT_STRING('r', "resources", struct update_values, resources, "FILE",
		   "JSON as linux.resources of config.json, '-' from standard input"),
	VALUE("blkio-weight", blkio_weight, "N", "weight of block I/O, 10 to 1000"),
	VALUE("cpu-period", cpu_period, "US", "period of the quota"),
	VALUE("cpu-quota", cpu_quota, "US", "time a period"),
	VALUE("cpu-burst", cpu_burst, "US", "time that may be saved up"),
	VALUE("cpu-share", cpu_shares, "N", "weight of the processor"),
	VALUE("cpu-rt-period", cpu_rt_period, "US", "period of the realtime quota"),
	VALUE("cpu-rt-runtime", cpu_rt_runtime, "US", "realtime a period"),
	VALUE("cpu-idle", cpu_idle, "0|1", "SCHED_IDLE for all"),
	VALUE("cpuset-cpus", cpus, "LIST", "processors"),
	VALUE("cpuset-mems", mems, "LIST", "memory nodes"),
	VALUE("memory", memory, "BYTES", "limit of memory"),
	VALUE("memory-reservation", memory_reservation, "BYTES", "soft limit"),
	VALUE("memory-swap", memory_swap, "BYTES", "limit of memory and swap, -1 for none"),
	VALUE("pids-limit", pids_limit, "N", "number of processes and threads"),
	VALUE("l3-cache-schema", l3_cache, "TEXT", NULL),
	VALUE("mem-bw-schema", memory_bandwidth, "TEXT", NULL),
	OPT_END,
};

struct numeric {
	const char *section;
	const char *key;
	const char *option;
	const char *text;
};

static int add_number(json_t *json, const struct numeric *n, struct error *err)
{
	json_t *section = json_object_get(json, n->section);
	char *end = NULL;
	long long value;

	if (!n->text)
		return 0;
	errno = 0;
	value = strtoll(n->text, &end, 10);
	if (errno || end == n->text || *end)
		return err_set(err, -EINVAL, "invalid value for %s: '%s'", n->option, n->text);
	if (json_object_set_new(section, n->key, json_integer(value)) < 0)
		return err_oom(err);
	return 0;
}

static int from_options(const struct update_values *o, char **ret, struct error *err)
{
	const struct numeric numbers[] = {
		{ "blockIO", "weight", "blkio-weight", o->blkio_weight },
		{ "cpu", "period", "cpu-period", o->cpu_period },
		{ "cpu", "quota", "cpu-quota", o->cpu_quota },
		{ "cpu", "burst", "cpu-burst", o->cpu_burst },
		{ "cpu", "shares", "cpu-share", o->cpu_shares },
		{ "cpu", "realtimePeriod", "cpu-rt-period", o->cpu_rt_period },
		{ "cpu", "realtimeRuntime", "cpu-rt-runtime", o->cpu_rt_runtime },
		{ "cpu", "idle", "cpu-idle", o->cpu_idle },
		{ "memory", "limit", "memory", o->memory },
		{ "memory", "reservation", "memory-reservation", o->memory_reservation },
		{ "memory", "swap", "memory-swap", o->memory_swap },
		{ "pids", "limit", "pids-limit", o->pids_limit },
	};
	cleanup_json json_t *json =
		json_pack("{s:{}, s:{}, s:{}, s:{}}", "blockIO", "cpu", "memory", "pids");
	json_t *cpu = json_object_get(json, "cpu");

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int r = add_number(json, &numbers[i], err);

		if (r < 0)
			return r;
	}
	if ((o->cpus && json_object_set_new(cpu, "cpus", json_string(o->cpus)) < 0) ||
	    (o->mems && json_object_set_new(cpu, "mems", json_string(o->mems)) < 0))
		return err_oom(err);
	return json_format(json, 0, ret, err);
}

static int read_resources(const struct update_values *o, char **ret, struct error *err)
{
	int r;

	if (o->l3_cache || o->memory_bandwidth)
		return err_set(err, -EOPNOTSUPP, "Intel RDT is not supported");
	if (!o->resources)
		return from_options(o, ret, err);
	if (strcmp(o->resources, "-") != 0)
		return file_read_at(AT_FDCWD, o->resources, RESOURCES_MAX, ret, NULL, err);
	r = fd_slurp(STDIN_FILENO, RESOURCES_MAX, ret, NULL);
	if (r < 0)
		return err_set(err, r, "read resources: %s", strerror(-r));
	return 0;
}

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct update_values o = { .resources = NULL };
	cleanup_free char *text = NULL;
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 1, &argc);

	if (r != PROGRAM_GO_ON)
		return r;
	r = read_resources(&o, &text, &err);
	if (r >= 0)
		r = runtime_update(&program->runtime, argv[0], text, &err);
	return program_end(program, r, &err);
}

const struct command command_update = {
	.name = "update",
	.args = "CONTAINER",
	.brief = "change a container's limits",
	.options = options,
	.run = run,
};
