#include "runtime/cgroup-resources.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "runtime/cgroup-device.h"
#include "runtime/cgroup.h"
#include "runtime/spec.h"

/* One limit's way into a file. */
struct limit {
	const char *what;
	const char *controller; /* v1 */
	const char *file;	/* NULL: this version has none */
	char text[96];
};

static int open_part(const struct cgroup *cg, const struct limit *limit, bool v2, struct error *err)
{
	const struct cgroup_part *part = cgroup_find(cg, v2 ? "" : limit->controller);

	if (!part)
		return err_set(err, -EOPNOTSUPP,
			       "%s: cgroup controller '%s' is not mounted on this system",
			       limit->what, limit->controller);
	return cgroup_open_own(cg, part, err);
}

static int write_limit(const struct cgroup *cg, const struct limit *limit, bool v2,
		       struct error *err)
{
	cleanup_fd int dir = -EBADF;
	int r;

	if (!limit->file)
		return 0;
	dir = open_part(cg, limit, v2, err);
	if (dir < 0)
		return dir;
	if (v2 && faccessat(dir, limit->file, F_OK, 0) < 0)
		return err_set(err, -EOPNOTSUPP, "%s: this kernel's cgroups have no '%s'",
			       limit->what, limit->file);
	r = file_poke_at(dir, limit->file, limit->text, err);
	if (r < 0)
		return err_wrap(err, r, "%s", limit->what);
	return 0;
}

static int set(const struct cgroup *cg, bool v2, const char *what, const char *controller,
	       const char *file, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

static int set(const struct cgroup *cg, bool v2, const char *what, const char *controller,
	       const char *file, struct error *err, const char *fmt, ...)
{
	struct limit limit = { .what = what, .controller = controller, .file = file };
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(limit.text, sizeof(limit.text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(limit.text))
		return err_set(err, -EBADMSG, "%s: value too long", what);
	return write_limit(cg, &limit, v2, err);
}

/* --- v1 --------------------------------------------------------------------- */

static int v1_limit(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	if (!spec_has(res, RES_MEMORY_LIMIT) || res->value[RES_MEMORY_LIMIT] == 0)
		return 0;
	return set(cg, false, "memory.limit", "memory", "memory.limit_in_bytes", err, "%" PRId64,
		   res->value[RES_MEMORY_LIMIT]);
}

/* The limit may never be above that of memory and swap together: which goes first depends on
 * what stood there before. */
static int v1_memory(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	int first;
	int r;

	first = v1_limit(cg, res, err);
	if (!spec_has(res, RES_MEMORY_SWAP) || res->value[RES_MEMORY_SWAP] == 0)
		return first;
	r = set(cg, false, "memory.swap", "memory", "memory.memsw.limit_in_bytes", err, "%" PRId64,
		res->value[RES_MEMORY_SWAP]);
	if (r < 0)
		return r;
	return first < 0 ? v1_limit(cg, res, err) : 0;
}

struct simple {
	enum resource which;
	const char *what;
	const char *controller;
	const char *file;
	bool zero_is_unset;
};

static int v1_simple(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	/* In this order: a quota is checked against its period. */
	static const struct simple table[] = {
		{ RES_MEMORY_RESERVATION, "memory.reservation", "memory",
		  "memory.soft_limit_in_bytes", true },
		{ RES_MEMORY_KERNEL_TCP, "memory.kernelTCP", "memory",
		  "memory.kmem.tcp.limit_in_bytes", true },
		{ RES_MEMORY_SWAPPINESS, "memory.swappiness", "memory", "memory.swappiness",
		  false },
		{ RES_CPU_SHARES, "cpu.shares", "cpu", "cpu.shares", true },
		{ RES_CPU_PERIOD, "cpu.period", "cpu", "cpu.cfs_period_us", true },
		{ RES_CPU_QUOTA, "cpu.quota", "cpu", "cpu.cfs_quota_us", true },
		{ RES_CPU_BURST, "cpu.burst", "cpu", "cpu.cfs_burst_us", false },
		{ RES_CPU_RT_PERIOD, "cpu.realtimePeriod", "cpu", "cpu.rt_period_us", true },
		{ RES_CPU_RT_RUNTIME, "cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", true },
		{ RES_CPU_IDLE, "cpu.idle", "cpu", "cpu.idle", false },
		{ RES_NET_CLASS, "network.classID", "net_cls", "net_cls.classid", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct simple *s = &table[i];
		int r;

		if (!spec_has(res, s->which) || (s->zero_is_unset && res->value[s->which] == 0))
			continue;
		r = set(cg, false, s->what, s->controller, s->file, err, "%" PRId64,
			res->value[s->which]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int v1_blkio(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	int r = 0;

	if (spec_has(res, RES_BLKIO_WEIGHT) && res->value[RES_BLKIO_WEIGHT] != 0) {
		/* The name depends on the scheduler: CFQ's is gone since Linux 5.0. */
		r = set(cg, false, "blockIO.weight", "blkio", "blkio.bfq.weight", err, "%" PRId64,
			res->value[RES_BLKIO_WEIGHT]);
		if (r == -ENOENT)
			r = set(cg, false, "blockIO.weight", "blkio", "blkio.weight", err,
				"%" PRId64, res->value[RES_BLKIO_WEIGHT]);
	}
	if (r >= 0 && spec_has(res, RES_BLKIO_LEAF_WEIGHT) &&
	    res->value[RES_BLKIO_LEAF_WEIGHT] != 0)
		r = set(cg, false, "blockIO.leafWeight", "blkio", "blkio.leaf_weight", err,
			"%" PRId64, res->value[RES_BLKIO_LEAF_WEIGHT]);
	for (size_t i = 0; r >= 0 && i < res->n_throttles; i++) {
		const struct spec_blkio_throttle *t = &res->throttles[i];

		r = set(cg, false, "blockIO", "blkio", t->file, err,
			"%" PRId64 ":%" PRId64 " %" PRIu64, t->major, t->minor, t->value);
	}
	return r;
}

static int v1_apply(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	int r;

	r = v1_memory(cg, res, err);
	if (r >= 0)
		r = v1_simple(cg, res, err);
	if (r >= 0 && res->oom_kill_disable)
		r = set(cg, false, "memory.disableOOMKiller", "memory", "memory.oom_control", err,
			"1");
	if (r >= 0 && res->cpuset_cpus && *res->cpuset_cpus)
		r = set(cg, false, "cpu.cpus", "cpuset", "cpuset.cpus", err, "%s",
			res->cpuset_cpus);
	if (r >= 0 && res->cpuset_mems && *res->cpuset_mems)
		r = set(cg, false, "cpu.mems", "cpuset", "cpuset.mems", err, "%s",
			res->cpuset_mems);
	if (r >= 0 && spec_has(res, RES_PIDS_LIMIT) && res->value[RES_PIDS_LIMIT] > 0)
		r = set(cg, false, "pids.limit", "pids", "pids.max", err, "%" PRId64,
			res->value[RES_PIDS_LIMIT]);
	else if (r >= 0 && spec_has(res, RES_PIDS_LIMIT) && res->value[RES_PIDS_LIMIT] < 0)
		r = set(cg, false, "pids.limit", "pids", "pids.max", err, "max");
	if (r >= 0)
		r = v1_blkio(cg, res, err);
	for (size_t i = 0; r >= 0 && i < res->n_hugetlb; i++) {
		char file[96];

		(void)snprintf(file, sizeof(file), "hugetlb.%s.limit_in_bytes",
			       res->hugetlb[i].name);
		r = set(cg, false, "hugepageLimits", "hugetlb", file, err, "%" PRIu64,
			res->hugetlb[i].value);
	}
	for (size_t i = 0; r >= 0 && i < res->n_net_priorities; i++)
		r = set(cg, false, "network.priorities", "net_prio", "net_prio.ifpriomap", err,
			"%s %" PRIu64, res->net_priorities[i].name, res->net_priorities[i].value);
	return r;
}

/* --- v2 --------------------------------------------------------------------- */

/* v1 counts shares from 2 to 262144 around 1024; v2 weights from 1 to 10000 around 100. */
static uint64_t weight_from_shares(int64_t shares)
{
	uint64_t s = shares < 2 ? 2 : (uint64_t)shares;

	if (s > 262144)
		s = 262144;
	return 1 + (s - 2) * 9999 / 262142;
}

/* v1 goes from 10 to 1000, io.weight from 1 to 10000. */
static uint64_t weight_from_blkio(int64_t weight)
{
	uint64_t w = weight < 10 ? 10 : (uint64_t)weight;

	return w > 1000 ? 10000 : 1 + (w - 10) * 9999 / 990;
}

static int v2_bytes(const struct cgroup *cg, const char *what, const char *file, int64_t value,
		    struct error *err)
{
	if (value < 0)
		return set(cg, true, what, "memory", file, err, "max");
	return set(cg, true, what, "memory", file, err, "%" PRId64, value);
}

static int v2_swap(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	int64_t swap = res->value[RES_MEMORY_SWAP];

	if (!spec_has(res, RES_MEMORY_SWAP) || swap == 0)
		return 0;
	if (swap > 0) { /* v1 limits memory and swap together, v2 swap alone */
		if (!spec_has(res, RES_MEMORY_LIMIT) || res->value[RES_MEMORY_LIMIT] <= 0)
			return err_set(err, -EINVAL,
				       "memory.swap: a limit of swap needs memory.limit");
		swap -= res->value[RES_MEMORY_LIMIT];
		if (swap < 0)
			return err_set(err, -EINVAL, "memory.swap is below memory.limit");
	}
	return v2_bytes(cg, "memory.swap", "memory.swap.max", swap, err);
}

static int v2_memory(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	int r = v2_swap(cg, res, err);

	if (r >= 0 && spec_has(res, RES_MEMORY_LIMIT) && res->value[RES_MEMORY_LIMIT] != 0)
		r = v2_bytes(cg, "memory.limit", "memory.max", res->value[RES_MEMORY_LIMIT], err);
	if (r >= 0 && spec_has(res, RES_MEMORY_RESERVATION) &&
	    res->value[RES_MEMORY_RESERVATION] != 0)
		r = v2_bytes(cg, "memory.reservation", "memory.low",
			     res->value[RES_MEMORY_RESERVATION], err);
	return r;
}

static int v2_cpu(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	const int64_t quota = spec_has(res, RES_CPU_QUOTA) ? res->value[RES_CPU_QUOTA] : 0;
	const int64_t period = spec_has(res, RES_CPU_PERIOD) ? res->value[RES_CPU_PERIOD] : 0;
	int r = 0;

	if (spec_has(res, RES_CPU_IDLE))
		r = set(cg, true, "cpu.idle", "cpu", "cpu.idle", err, "%" PRId64,
			res->value[RES_CPU_IDLE]);
	if (r >= 0 && spec_has(res, RES_CPU_SHARES) && res->value[RES_CPU_SHARES] != 0)
		r = set(cg, true, "cpu.shares", "cpu", "cpu.weight", err, "%" PRIu64,
			weight_from_shares(res->value[RES_CPU_SHARES]));
	if (r >= 0 && quota > 0)
		r = set(cg, true, "cpu.quota", "cpu", "cpu.max", err, "%" PRId64 " %" PRId64, quota,
			period > 0 ? period : 100000);
	else if (r >= 0 && (quota < 0 || period > 0))
		r = set(cg, true, "cpu.quota", "cpu", "cpu.max", err, "max %" PRId64,
			period > 0 ? period : 100000);
	if (r >= 0 && spec_has(res, RES_CPU_BURST))
		r = set(cg, true, "cpu.burst", "cpu", "cpu.max.burst", err, "%" PRId64,
			res->value[RES_CPU_BURST]);
	if (r >= 0 && res->cpuset_cpus && *res->cpuset_cpus)
		r = set(cg, true, "cpu.cpus", "cpuset", "cpuset.cpus", err, "%s", res->cpuset_cpus);
	if (r >= 0 && res->cpuset_mems && *res->cpuset_mems)
		r = set(cg, true, "cpu.mems", "cpuset", "cpuset.mems", err, "%s", res->cpuset_mems);
	return r;
}

static int v2_io(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	int r = 0;

	if (spec_has(res, RES_BLKIO_WEIGHT) && res->value[RES_BLKIO_WEIGHT] != 0) {
		r = set(cg, true, "blockIO.weight", "io", "io.bfq.weight", err, "%" PRId64,
			res->value[RES_BLKIO_WEIGHT]);
		if (r == -EOPNOTSUPP)
			r = set(cg, true, "blockIO.weight", "io", "io.weight", err, "%" PRIu64,
				weight_from_blkio(res->value[RES_BLKIO_WEIGHT]));
	}
	for (size_t i = 0; r >= 0 && i < res->n_throttles; i++) {
		const struct spec_blkio_throttle *t = &res->throttles[i];

		if (t->v2)
			r = set(cg, true, "blockIO", "io", "io.max", err,
				"%" PRId64 ":%" PRId64 " %s=%" PRIu64, t->major, t->minor, t->v2,
				t->value);
		else
			r = set(cg, true, "blockIO", "io", "io.bfq.weight", err,
				"%" PRId64 ":%" PRId64 " %" PRIu64, t->major, t->minor, t->value);
	}
	return r;
}

static int v2_unified(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	const char *file;
	json_t *value;

	json_object_foreach(res->unified, file, value)
	{
		int r = set(cg, true, "unified", "", file, err, "%s", json_string_value(value));

		if (r < 0)
			return r;
	}
	return 0;
}

static int v2_apply(const struct cgroup *cg, const struct spec_resources *res, struct error *err)
{
	int r;

	r = v2_memory(cg, res, err);
	if (r >= 0)
		r = v2_cpu(cg, res, err);
	if (r >= 0 && spec_has(res, RES_PIDS_LIMIT) && res->value[RES_PIDS_LIMIT] > 0)
		r = set(cg, true, "pids.limit", "pids", "pids.max", err, "%" PRId64,
			res->value[RES_PIDS_LIMIT]);
	else if (r >= 0 && spec_has(res, RES_PIDS_LIMIT) && res->value[RES_PIDS_LIMIT] < 0)
		r = set(cg, true, "pids.limit", "pids", "pids.max", err, "max");
	if (r >= 0)
		r = v2_io(cg, res, err);
	for (size_t i = 0; r >= 0 && i < res->n_hugetlb; i++) {
		char file[96];

		(void)snprintf(file, sizeof(file), "hugetlb.%s.max", res->hugetlb[i].name);
		r = set(cg, true, "hugepageLimits", "hugetlb", file, err, "%" PRIu64,
			res->hugetlb[i].value);
	}
	if (r >= 0 && res->unified)
		r = v2_unified(cg, res, err);
	return r;
}

int cgroup_set_resources(const struct cgroup *cg, const struct spec_resources *res,
			 struct error *err)
{
	const bool v2_only = cg->n == 1 && cg->parts[0].v2;
	int r;

	if (cg->n == 0)
		return 0;
	r = v2_only ? v2_apply(cg, res, err) : v1_apply(cg, res, err);
	if (r >= 0 && !v2_only && res->unified)
		r = v2_unified(cg, res, err);
	if (r >= 0)
		r = cgroup_set_devices(cg, res, err);
	return r < 0 ? r : 0;
}
