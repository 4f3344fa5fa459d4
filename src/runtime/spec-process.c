#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cap-names.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/spec-priv.h"

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};

static int find_rlimit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++)
		if (strcmp(name, rlimit_names[i].name) == 0)
			return rlimit_names[i].resource;
	return -1;
}

static int parse_rlimit(const json_t *json, const char *place, struct spec_rlimit *ret,
			struct error *err)
{
	struct spec_rlimit limit = { .name = "" };
	int r;

	r = json_field_string(json, place, "type", &limit.name, err);
	if (r < 0)
		return r;
	limit.resource = find_rlimit(limit.name);
	if (limit.resource < 0)
		return err_set(err, -EBADMSG, "%s.type: unknown limit '%s'", place, limit.name);
	r = json_field_uint(json, place, "soft", &limit.soft, err);
	if (r >= 0)
		r = json_field_uint(json, place, "hard", &limit.hard, err);
	if (r < 0)
		return r;
	if (limit.soft > limit.hard)
		return err_set(err, -EBADMSG,
			       "%s: soft limit %" PRIu64 " above hard limit %" PRIu64, place,
			       limit.soft, limit.hard);
	*ret = limit;
	return 0;
}

static int parse_rlimits(const json_t *json, const char *outer, struct arena *arena,
			 struct spec_process *ret, struct error *err)
{
	const json_t *item = NULL;
	struct spec_list list;
	char place[64];
	int r;

	r = spec_list_open(json, outer, "rlimits", arena, sizeof(struct spec_rlimit), &list, err);
	if (r < 0)
		return r;
	ret->rlimits = list.items;
	ret->n_rlimits = list.n;
	for (size_t i = 0; i < list.n; i++) {
		r = spec_list_item(&list, outer, "rlimits", i, place, sizeof(place), &item, err);
		if (r >= 0)
			r = parse_rlimit(item, place, &ret->rlimits[i], err);
		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (ret->rlimits[k].resource == ret->rlimits[i].resource)
				return err_set(err, -EBADMSG, "%s: %s is given twice", place,
					       ret->rlimits[i].name);
	}
	return 0;
}

static int parse_cap_set(const json_t *json, const char *place, const char *key,
			 struct arena *arena, uint64_t *ret, struct error *err)
{
	char **names = NULL;
	uint64_t set = 0;
	size_t n = 0;
	int r;

	r = json_field_strings(json, place, key, arena, &names, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		int cap = cap_number(names[i]);

		/* As the standard wants: what this system doesn't know is left out. */
		if (cap >= 0)
			set |= UINT64_C(1) << cap;
	}
	*ret = set;
	return 0;
}

static int parse_capabilities(const json_t *json, const char *outer, struct arena *arena,
			      struct spec_capabilities *ret, struct error *err)
{
	struct spec_capabilities caps = { .given = true };
	json_t *sets = NULL;
	char place[64];
	int r;

	r = json_field_object(json, outer, "capabilities", &sets, err);
	if (r <= 0)
		return r;
	(void)snprintf(place, sizeof(place), "%s.capabilities", outer);
	r = parse_cap_set(sets, place, "bounding", arena, &caps.bounding, err);
	if (r >= 0)
		r = parse_cap_set(sets, place, "effective", arena, &caps.effective, err);
	if (r >= 0)
		r = parse_cap_set(sets, place, "inheritable", arena, &caps.inheritable, err);
	if (r >= 0)
		r = parse_cap_set(sets, place, "permitted", arena, &caps.permitted, err);
	if (r >= 0)
		r = parse_cap_set(sets, place, "ambient", arena, &caps.ambient, err);
	if (r < 0)
		return r;
	*ret = caps;
	return 0;
}

static int parse_groups(const json_t *user, const char *place, struct arena *arena,
			struct spec_process *ret, struct error *err)
{
	json_t *array = NULL;
	const json_t *item;
	size_t i;
	int r;

	r = json_field_array(user, place, "additionalGids", &array, err);
	if (r <= 0)
		return r;
	ret->n_groups = json_array_size(array);
	ret->groups = arena_new_array(arena, gid_t, ret->n_groups ? ret->n_groups : 1);
	if (!ret->groups)
		return err_oom(err);
	json_array_foreach(array, i, item)
	{
		json_int_t gid = json_is_integer(item) ? json_integer_value(item) : -1;

		if (gid < 0 || gid >= UINT32_MAX)
			return err_set(err, -EBADMSG, "%s.additionalGids[%zu]: not a group id",
				       place, i);
		ret->groups[i] = (gid_t)gid;
	}
	return 0;
}

static int parse_user(const json_t *json, const char *outer, struct arena *arena,
		      struct spec_process *ret, struct error *err)
{
	json_t *user = NULL;
	char place[64];
	int r;

	r = json_field_object(json, outer, "user", &user, err);
	if (r <= 0)
		return r;
	(void)snprintf(place, sizeof(place), "%s.user", outer);
	r = spec_field_u32(user, place, "uid", &ret->uid, err);
	if (r >= 0)
		r = spec_field_u32(user, place, "gid", &ret->gid, err);
	if (r >= 0)
		r = spec_field_u32(user, place, "umask", &ret->umask, err);
	if (r < 0)
		return r;
	return parse_groups(user, place, arena, ret, err);
}

static int parse_console(const json_t *json, const char *outer, struct spec_process *ret,
			 struct error *err)
{
	json_t *size = NULL;
	int r;

	r = json_field_bool(json, outer, "terminal", &ret->terminal, err);
	if (r >= 0)
		r = json_field_object(json, outer, "consoleSize", &size, err);
	if (r <= 0)
		return r;
	r = spec_field_u32(size, "consoleSize", "height", &ret->console_rows, err);
	if (r >= 0)
		r = spec_field_u32(size, "consoleSize", "width", &ret->console_cols, err);
	return r < 0 ? r : 0;
}

static int parse_io_priority(const json_t *json, const char *outer, struct spec_process *ret,
			     struct error *err)
{
	static const char *const classes[] = { [IOPRIO_CLASS_RT] = "IOPRIO_CLASS_RT",
					       [IOPRIO_CLASS_BE] = "IOPRIO_CLASS_BE",
					       [IOPRIO_CLASS_IDLE] = "IOPRIO_CLASS_IDLE" };
	const char *class_name = "";
	json_t *io = NULL;
	int64_t level = 0;
	int r;

	r = json_field_object(json, outer, "ioPriority", &io, err);
	if (r <= 0)
		return r;
	r = json_field_string(io, "ioPriority", "class", &class_name, err);
	if (r >= 0)
		r = json_field_int(io, "ioPriority", "priority", &level, err);
	if (r < 0)
		return r;
	for (int c = IOPRIO_CLASS_RT; c <= IOPRIO_CLASS_IDLE; c++)
		if (strcmp(class_name, classes[c]) == 0 && level >= 0 && level <= 7) {
			ret->has_io_priority = true;
			ret->io_priority = (int)IOPRIO_PRIO_VALUE(c, (int)level);
			return 0;
		}
	return err_set(err, -EBADMSG, "%s.ioPriority: '%s' %" PRId64 " is not a class and level",
		       outer, class_name, level);
}

static int parse_scheduler(const json_t *json, const char *outer, struct arena *arena,
			   struct spec_process *ret, struct error *err)
{
	static const struct {
		const char *name;
		int policy;
	} policies[] = { { "SCHED_OTHER", SCHED_OTHER },
			 { "SCHED_FIFO", SCHED_FIFO },
			 { "SCHED_RR", SCHED_RR },
			 { "SCHED_BATCH", SCHED_BATCH },
			 { "SCHED_IDLE", SCHED_IDLE } };
	const char *name = "";
	char **flags = NULL;
	json_t *sched = NULL;
	int64_t nice = 0;
	int64_t priority = 0;
	int r;

	ret->sched_policy = -1;
	r = json_field_object(json, outer, "scheduler", &sched, err);
	if (r <= 0)
		return r;
	r = json_field_string(sched, "scheduler", "policy", &name, err);
	if (r >= 0)
		r = json_field_int(sched, "scheduler", "nice", &nice, err);
	if (r >= 0)
		r = json_field_int(sched, "scheduler", "priority", &priority, err);
	if (r >= 0)
		r = json_field_strings(sched, "scheduler", "flags", arena, &flags, NULL, err);
	if (r < 0)
		return r;
	if (flags && flags[0])
		return err_set(err, -EOPNOTSUPP, "%s.scheduler.flags are not supported", outer);
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		if (strcmp(name, policies[i].name) == 0) {
			ret->sched_policy = policies[i].policy;
			ret->sched_nice = (int)nice;
			ret->sched_priority = (int)priority;
			return 0;
		}
	return err_set(err, -EOPNOTSUPP, "%s.scheduler.policy: '%s' is not supported", outer, name);
}

static int refuse_labels(const json_t *json, const char *place, struct error *err)
{
	static const char *const keys[] = { "selinuxLabel", "apparmorProfile" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *label = "";
		int r = json_field_string(json, place, keys[i], &label, err);

		if (r < 0)
			return r;
		if (*label && strcmp(label, "unconfined") != 0)
			return err_set(err, -EOPNOTSUPP, "%s.%s: '%s': not supported", place,
				       keys[i], label);
	}
	return 0;
}

static int parse_oom_score(const json_t *json, const char *place, struct spec_process *ret,
			   struct error *err)
{
	int64_t adj = 0;
	int r = json_field_int(json, place, "oomScoreAdj", &adj, err);

	if (r <= 0)
		return r;
	if (adj < -1000 || adj > 1000)
		return err_set(err, -EBADMSG, "%s.oomScoreAdj: %" PRId64 " is not in -1000..1000",
			       place, adj);
	ret->has_oom_score_adj = true;
	ret->oom_score_adj = (int)adj;
	return 0;
}

int spec_parse_process(const json_t *json, const char *place, struct arena *arena,
		       struct spec_process *ret, struct error *err)
{
	struct spec_process p = { .umask = SPEC_UNSET, .sched_policy = -1 };
	int r;

	r = json_field_strings(json, place, "args", arena, &p.args, NULL, err);
	if (r >= 0)
		r = json_field_strings(json, place, "env", arena, &p.env, NULL, err);
	if (r >= 0)
		r = json_field_string(json, place, "cwd", &p.cwd, err);
	if (r >= 0)
		r = parse_user(json, place, arena, &p, err);
	if (r >= 0)
		r = parse_capabilities(json, place, arena, &p.caps, err);
	if (r >= 0)
		r = parse_rlimits(json, place, arena, &p, err);
	if (r >= 0)
		r = json_field_bool(json, place, "noNewPrivileges", &p.no_new_privileges, err);
	if (r >= 0)
		r = parse_oom_score(json, place, &p, err);
	if (r >= 0)
		r = parse_console(json, place, &p, err);
	if (r >= 0)
		r = parse_io_priority(json, place, &p, err);
	if (r >= 0)
		r = parse_scheduler(json, place, arena, &p, err);
	if (r >= 0)
		r = refuse_labels(json, place, err);
	if (r < 0)
		return r;
	if (!p.cwd || p.cwd[0] != '/')
		return err_set(err, -EBADMSG, "%s.cwd: expected an absolute path", place);
	if (!p.args || !p.args[0])
		return spec_missing(place, "args", err);
	*ret = p;
	return 0;
}
