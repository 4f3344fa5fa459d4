#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/spec-priv.h"

static const struct {
	const char *section;
	const char *key;
	enum resource which;
} quantities[] = {
	{ "memory", "limit", RES_MEMORY_LIMIT },
	{ "memory", "reservation", RES_MEMORY_RESERVATION },
	{ "memory", "swap", RES_MEMORY_SWAP },
	{ "memory", "kernelTCP", RES_MEMORY_KERNEL_TCP },
	{ "memory", "swappiness", RES_MEMORY_SWAPPINESS },
	{ "cpu", "shares", RES_CPU_SHARES },
	{ "cpu", "quota", RES_CPU_QUOTA },
	{ "cpu", "period", RES_CPU_PERIOD },
	{ "cpu", "burst", RES_CPU_BURST },
	{ "cpu", "realtimeRuntime", RES_CPU_RT_RUNTIME },
	{ "cpu", "realtimePeriod", RES_CPU_RT_PERIOD },
	{ "cpu", "idle", RES_CPU_IDLE },
	{ "pids", "limit", RES_PIDS_LIMIT },
	{ "blockIO", "weight", RES_BLKIO_WEIGHT },
	{ "blockIO", "leafWeight", RES_BLKIO_LEAF_WEIGHT },
	{ "network", "classID", RES_NET_CLASS },
};

/* The object "place.key" and its own place. 1, 0 or negative. */
static int section(const json_t *json, const char *outer, const char *key, char *place,
		   size_t place_size, json_t **ret, struct error *err)
{
	(void)snprintf(place, place_size, "%s%s%s", outer, *outer ? "." : "", key);
	return json_field_object(json, outer, key, ret, err);
}

static int parse_quantities(const json_t *json, const char *outer, struct spec_resources *ret,
			    struct error *err)
{
	char place[64];

	for (size_t i = 0; i < ARRAY_SIZE(quantities); i++) {
		json_t *part = NULL;
		int r;

		r = section(json, outer, quantities[i].section, place, sizeof(place), &part, err);
		if (r > 0)
			r = json_field_int(part, place, quantities[i].key,
					   &ret->value[quantities[i].which], err);
		if (r < 0)
			return r;
		if (r > 0)
			ret->has |= 1U << quantities[i].which;
	}
	return 0;
}

static int parse_flags_and_sets(const json_t *json, const char *outer, struct spec_resources *ret,
				struct error *err)
{
	json_t *part = NULL;
	char place[64];
	int r;

	r = section(json, outer, "memory", place, sizeof(place), &part, err);
	if (r > 0)
		r = json_field_bool(part, place, "disableOOMKiller", &ret->oom_kill_disable, err);
	if (r >= 0 && part)
		r = json_field_bool(part, place, "checkBeforeUpdate", &ret->check_before_update,
				    err);
	if (r < 0)
		return r;
	r = section(json, outer, "cpu", place, sizeof(place), &part, err);
	if (r <= 0)
		return r;
	r = json_field_string(part, place, "cpus", &ret->cpuset_cpus, err);
	if (r >= 0)
		r = json_field_string(part, place, "mems", &ret->cpuset_mems, err);
	return r < 0 ? r : 0;
}

static int parse_access(const char *text, const char *place, unsigned int *ret, struct error *err)
{
	unsigned int access = 0;

	for (; *text; text++) {
		if (*text == 'r')
			access |= DEVICE_ACCESS_READ;
		else if (*text == 'w')
			access |= DEVICE_ACCESS_WRITE;
		else if (*text == 'm')
			access |= DEVICE_ACCESS_MKNOD;
		else
			return err_set(err, -EBADMSG, "%s.access: '%c' is none of r, w, m", place,
				       *text);
	}
	*ret = access ? access : DEVICE_ACCESS_READ | DEVICE_ACCESS_WRITE | DEVICE_ACCESS_MKNOD;
	return 0;
}

static int parse_device_rule(const json_t *json, const char *place, struct spec_device_rule *ret,
			     struct error *err)
{
	struct spec_device_rule rule = { .major = -1, .minor = -1 };
	const char *access = "";
	const char *type = "a";
	int r;

	r = json_field_bool(json, place, "allow", &rule.allow, err);
	if (r >= 0)
		r = json_field_string(json, place, "type", &type, err);
	if (r >= 0)
		r = json_field_int(json, place, "major", &rule.major, err);
	if (r >= 0)
		r = json_field_int(json, place, "minor", &rule.minor, err);
	if (r >= 0)
		r = json_field_string(json, place, "access", &access, err);
	if (r >= 0)
		r = parse_access(access, place, &rule.access, err);
	if (r < 0)
		return r;
	rule.type = *type ? *type : 'a';
	if (strlen(type) > 1 || !strchr("abc", rule.type))
		return err_set(err, -EBADMSG, "%s.type: '%s' is none of a, b, c", place, type);
	if (rule.major < -1 || rule.major > UINT32_MAX || rule.minor < -1 ||
	    rule.minor > UINT32_MAX)
		return err_set(err, -EBADMSG, "%s: no such device number", place);
	*ret = rule;
	return 0;
}

static int parse_device_rules(const json_t *json, const char *outer, struct arena *arena,
			      struct spec_resources *ret, struct error *err)
{
	const json_t *item = NULL;
	struct spec_list list;
	char place[64];
	int r;

	r = spec_list_open(json, outer, "devices", arena, sizeof(struct spec_device_rule), &list,
			   err);
	if (r < 0)
		return r;
	ret->devices = list.items;
	ret->n_devices = list.n;
	for (size_t i = 0; i < list.n; i++) {
		r = spec_list_item(&list, outer, "devices", i, place, sizeof(place), &item, err);
		if (r >= 0)
			r = parse_device_rule(item, place, &ret->devices[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct {
	const char *key;
	const char *field;
	const char *file;
	const char *v2;
} throttle_kinds[] = {
	{ "weightDevice", "weight", "blkio.bfq.weight_device", NULL },
	{ "throttleReadBpsDevice", "rate", "blkio.throttle.read_bps_device", "rbps" },
	{ "throttleWriteBpsDevice", "rate", "blkio.throttle.write_bps_device", "wbps" },
	{ "throttleReadIOPSDevice", "rate", "blkio.throttle.read_iops_device", "riops" },
	{ "throttleWriteIOPSDevice", "rate", "blkio.throttle.write_iops_device", "wiops" },
};

static int parse_throttle_kind(const json_t *blkio, const char *outer, size_t kind,
			       struct arena *arena, struct spec_blkio_throttle **ret, size_t *ret_n,
			       struct error *err)
{
	const char *key = throttle_kinds[kind].key;
	struct spec_blkio_throttle *items;
	const json_t *item = NULL;
	struct spec_list list;
	char place[96];
	int r;

	r = spec_list_open(blkio, outer, key, arena, sizeof(*items), &list, err);
	if (r < 0)
		return r;
	items = list.items;
	for (size_t i = 0; i < list.n; i++) {
		items[i].file = throttle_kinds[kind].file;
		items[i].v2 = throttle_kinds[kind].v2;
		r = spec_list_item(&list, outer, key, i, place, sizeof(place), &item, err);
		if (r >= 0)
			r = json_field_int(item, place, "major", &items[i].major, err);
		if (r >= 0)
			r = json_field_int(item, place, "minor", &items[i].minor, err);
		if (r >= 0)
			r = json_field_uint(item, place, throttle_kinds[kind].field,
					    &items[i].value, err);
		if (r < 0)
			return r;
	}
	*ret = items;
	*ret_n = list.n;
	return 0;
}

static int parse_throttles(const json_t *json, const char *outer, struct arena *arena,
			   struct spec_resources *ret, struct error *err)
{
	struct spec_blkio_throttle *parts[ARRAY_SIZE(throttle_kinds)];
	size_t counts[ARRAY_SIZE(throttle_kinds)];
	json_t *blkio = NULL;
	char place[64];
	size_t n = 0;
	int r;

	r = section(json, outer, "blockIO", place, sizeof(place), &blkio, err);
	if (r <= 0)
		return r;
	for (size_t k = 0; k < ARRAY_SIZE(throttle_kinds); k++) {
		r = parse_throttle_kind(blkio, place, k, arena, &parts[k], &counts[k], err);
		if (r < 0)
			return r;
		n += counts[k];
	}
	if (n == 0)
		return 0;
	ret->throttles = arena_new_array(arena, struct spec_blkio_throttle, n);
	if (!ret->throttles)
		return err_oom(err);
	for (size_t k = 0; k < ARRAY_SIZE(throttle_kinds); k++) {
		if (counts[k] == 0)
			continue;
		memcpy(&ret->throttles[ret->n_throttles], parts[k], counts[k] * sizeof(**parts));
		ret->n_throttles += counts[k];
	}
	return 0;
}

/* An array of {name, number} objects. */
static int parse_named(const json_t *json, const char *outer, const char *key,
		       const char *name_field, const char *value_field, struct arena *arena,
		       struct spec_named_limit **ret, size_t *ret_n, struct error *err)
{
	struct spec_named_limit *items;
	const json_t *item = NULL;
	struct spec_list list;
	char place[64];
	int r;

	r = spec_list_open(json, outer, key, arena, sizeof(*items), &list, err);
	if (r < 0)
		return r;
	items = list.items;
	for (size_t i = 0; i < list.n; i++) {
		r = spec_list_item(&list, outer, key, i, place, sizeof(place), &item, err);
		if (r >= 0)
			r = json_field_string(item, place, name_field, &items[i].name, err);
		if (r >= 0 && (!items[i].name || !*items[i].name || strchr(items[i].name, '/')))
			r = spec_missing(place, name_field, err);
		if (r >= 0)
			r = json_field_uint(item, place, value_field, &items[i].value, err);
		if (r < 0)
			return r;
	}
	*ret = items;
	*ret_n = list.n;
	return 0;
}

static int parse_unified(const json_t *json, const char *place, struct spec_resources *ret,
			 struct error *err)
{
	const char *key;
	json_t *value;
	int r = json_field_object(json, place, "unified", &ret->unified, err);

	if (r <= 0)
		return r;
	json_object_foreach(ret->unified, key, value)
	{
		if (!json_is_string(value))
			return err_set(err, -EBADMSG, "%s.unified.%s: expected a string", place,
				       key);
		if (!*key || strchr(key, '/') || !strchr(key, '.') || key[0] == '.')
			return err_set(err, -EBADMSG, "%s.unified: '%s' is not a cgroup file",
				       place, key);
	}
	return 0;
}

int spec_parse_resources(const json_t *json, const char *place, struct arena *arena,
			 struct spec_resources *ret, struct error *err)
{
	struct spec_resources res = { .has = 0 };
	json_t *network = NULL;
	char network_place[64];
	int r;

	r = parse_quantities(json, place, &res, err);
	if (r >= 0)
		r = parse_flags_and_sets(json, place, &res, err);
	if (r >= 0)
		r = parse_device_rules(json, place, arena, &res, err);
	if (r >= 0)
		r = parse_throttles(json, place, arena, &res, err);
	if (r >= 0)
		r = parse_named(json, place, "hugepageLimits", "pageSize", "limit", arena,
				&res.hugetlb, &res.n_hugetlb, err);
	if (r >= 0)
		r = section(json, place, "network", network_place, sizeof(network_place), &network,
			    err);
	if (r > 0)
		r = parse_named(network, network_place, "priorities", "name", "priority", arena,
				&res.net_priorities, &res.n_net_priorities, err);
	if (r >= 0)
		r = parse_unified(json, place, &res, err);
	if (r < 0)
		return r;
	*ret = res;
	return 0;
}
