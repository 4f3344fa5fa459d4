#include "pod/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "pod/caps.h"
#include "pod/config.h"
#include "pod/create.h"

#define DEFAULT_PIDS_LIMIT 2048

static const char *const masked_paths[] = {
	"/proc/acpi",	    "/proc/kcore",	 "/proc/keys",	      "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
	"/sys/firmware",    "/sys/fs/selinux",	 "/sys/dev/block",
};

static const char *const readonly_paths[] = {
	"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static json_t *words(const char *const *list, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < n; i++) {
		if (json_array_append_new(array, json_string(list[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static bool is_host(const char *value)
{
	return value && strcmp(value, "host") == 0;
}

/* -1 when out of memory, as jansson has it. */
static int add_namespace(json_t *list, const char *type, bool own)
{
	return own ? json_array_append_new(list, json_pack("{s:s}", "type", type)) : 0;
}

static json_t *namespaces(const struct create_options *o)
{
	json_t *list = json_array();
	int bad = list ? 0 : -1;

	bad |= add_namespace(list, "pid", !is_host(o->pid));
	bad |= add_namespace(list, "network", !is_host(o->network));
	bad |= add_namespace(list, "ipc", !is_host(o->ipc));
	bad |= add_namespace(list, "uts", !is_host(o->uts));
	bad |= add_namespace(list, "mount", true);
	bad |= add_namespace(list, "cgroup", o->cgroupns && strcmp(o->cgroupns, "private") == 0);
	if (bad) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static int parse_long(const char *what, const char *word, long *ret, struct error *err)
{
	char *end = NULL;

	errno = 0;
	*ret = strtol(word, &end, 10);
	if (errno || end == word || *end)
		return err_set(err, -EINVAL,
			       "invalid argument \"%s\" for \"--%s\" flag: not a number", word,
			       what);
	return 0;
}

static int add_cpus(json_t *resources, const char *word, struct error *err)
{
	char *end = NULL;
	double cpus = strtod(word, &end);
	json_int_t period = 100000;

	if (end == word || *end || !(cpus > 0.001) || cpus > 100000)
		return err_set(err, -EINVAL, "invalid argument \"%s\" for \"--cpus\" flag", word);
	if (json_object_set_new(resources, "cpu",
				json_pack("{s:I, s:I}", "period", period, "quota",
					  (json_int_t)(cpus * (double)period))) < 0)
		return err_oom(err);
	return 0;
}

static int make_resources(const struct create_options *o, json_t **ret, struct error *err)
{
	cleanup_json json_t *resources =
		json_pack("{s:[{s:b, s:s}]}", "devices", "allow", o->privileged, "access", "rwm");
	long pids = DEFAULT_PIDS_LIMIT;
	uint64_t memory = 0;
	int r = resources ? 0 : err_oom(err);

	if (r == 0 && o->pids_limit)
		r = parse_long("pids-limit", o->pids_limit, &pids, err);
	if (r == 0 && o->memory)
		r = size_parse(o->memory, &memory, err);
	if (r == 0 && o->cpus)
		r = add_cpus(resources, o->cpus, err);
	if (r < 0)
		return r;
	if (pids > 0 && json_object_set_new(resources, "pids",
					    json_pack("{s:I}", "limit", (json_int_t)pids)) < 0)
		return err_oom(err);
	if (memory > 0 && json_object_set_new(resources, "memory",
					      json_pack("{s:I}", "limit", (json_int_t)memory)) < 0)
		return err_oom(err);
	*ret = take_ptr(&resources);
	return 0;
}

static int make_linux(const struct create_options *o, json_t **ret, struct error *err)
{
	cleanup_json json_t *linux_part = NULL;
	json_t *resources = NULL;
	int r = make_resources(o, &resources, err);

	if (r < 0)
		return r;
	linux_part = json_pack("{s:o, s:o}", "namespaces", namespaces(o), "resources", resources);
	if (!linux_part)
		return err_oom(err);
	if (!o->privileged &&
	    (json_object_set_new(linux_part, "maskedPaths",
				 words(masked_paths, ARRAY_SIZE(masked_paths))) < 0 ||
	     json_object_set_new(linux_part, "readonlyPaths",
				 words(readonly_paths, ARRAY_SIZE(readonly_paths))) < 0))
		return err_oom(err);
	*ret = take_ptr(&linux_part);
	return 0;
}

static int make_capabilities(const struct create_options *o, json_t **ret, struct error *err)
{
	cleanup_strv struct strv caps = STRV_INIT;
	int r = caps_choose(&o->cap_add, &o->cap_drop, o->privileged, &caps, err);

	if (r < 0)
		return r;
	*ret = json_pack("{s:o, s:o, s:o}", "bounding", config_array(&caps), "effective",
			 config_array(&caps), "permitted", config_array(&caps));
	return *ret ? 0 : err_oom(err);
}

/* NAME=SOFT[:HARD]; the default set is what we have ourselves: raising a hard limit needs
 * a capability that is often missing. */
static int add_rlimit(json_t *list, const char *word, struct error *err)
{
	char name[32] = "RLIMIT_";
	size_t len = strcspn(word, "=");
	unsigned long long soft;
	unsigned long long hard;
	char *end = NULL;

	if (word[len] != '=' || len == 0 || len > 16)
		return err_set(err, -EINVAL, "ulimit option \"%s\" requires name=SOFT:HARD", word);
	for (size_t i = 0; i < len; i++)
		name[7 + i] = (char)(word[i] >= 'a' && word[i] <= 'z' ? word[i] - 32 : word[i]);
	soft = strtoull(word + len + 1, &end, 10);
	hard = soft;
	if (end == word + len + 1)
		return err_set(err, -EINVAL, "ulimit option \"%s\": not a number", word);
	if (*end == ':')
		hard = strtoull(end + 1, &end, 10);
	if (*end || soft > hard || hard > INT64_MAX)
		return err_set(err, -EINVAL,
			       "ulimit option \"%s\": not SOFT:HARD with SOFT <= HARD", word);
	if (json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "type", name, "soft",
						  (json_int_t)soft, "hard", (json_int_t)hard)) < 0)
		return err_oom(err);
	return 0;
}

static int make_rlimits(const struct create_options *o, json_t **ret, struct error *err)
{
	cleanup_json json_t *list = json_array();
	int r = list ? 0 : err_oom(err);

	for (size_t i = 0; i < o->ulimits.n && r == 0; i++)
		if (strcmp(o->ulimits.items[i], "host") != 0)
			r = add_rlimit(list, o->ulimits.items[i], err);
	if (r == 0)
		*ret = take_ptr(&list);
	return r;
}

static bool has_no_new_privileges(const struct create_options *o)
{
	return strv_contains(&o->security_opts, "no-new-privileges") ||
	       strv_contains(&o->security_opts, "no-new-privileges=true") ||
	       strv_contains(&o->security_opts, "no-new-privileges:true");
}

static int make_process(const struct create_options *o, const struct strv *args,
			const struct strv *env, const char *cwd, json_t **ret, struct error *err)
{
	cleanup_json json_t *process = NULL;
	json_t *capabilities = NULL;
	json_t *rlimits = NULL;
	int r = make_capabilities(o, &capabilities, err);

	if (r == 0)
		r = make_rlimits(o, &rlimits, err);
	if (r < 0) {
		json_decref(capabilities);
		return r;
	}
	process = json_pack("{s:b, s:o, s:o, s:s, s:o, s:o, s:b}", "terminal", o->terminal, "args",
			    config_array(args), "env", config_array(env), "cwd", cwd,
			    "capabilities", capabilities, "rlimits", rlimits, "noNewPrivileges",
			    has_no_new_privileges(o));
	if (!process)
		return err_oom(err);
	*ret = take_ptr(&process);
	return 0;
}

int spec_make(const struct create_options *o, const struct strv *args, const struct strv *env,
	      const char *cwd, const char *hostname, json_t *mounts, json_t **ret,
	      struct error *err)
{
	json_t *process = NULL;
	json_t *linux_part = NULL;
	int r = make_process(o, args, env, cwd, &process, err);

	if (r == 0)
		r = make_linux(o, &linux_part, err);
	if (r < 0) {
		json_decref(process);
		return r;
	}
	*ret = json_pack("{s:s, s:o, s:{s:b}, s:O, s:o, s:{s:s, s:s, s:s, s:s}}", "ociVersion",
			 "1.0.2", "process", process, "root", "readonly", o->read_only, "mounts",
			 mounts, "linux", linux_part, "annotations", "io.container.manager",
			 "libpod", "io.podman.annotations.autoremove", o->rm ? "TRUE" : "FALSE",
			 "io.podman.annotations.privileged", o->privileged ? "TRUE" : "FALSE",
			 "io.kubernetes.cri-o.TTY", o->terminal ? "true" : "false");
	if (!*ret)
		return err_oom(err);
	/* In the host's uts namespace the name is not ours to set. */
	if (!is_host(o->uts) && json_object_set_new(*ret, "hostname", json_string(hostname)) < 0) {
		json_decref(*ret);
		*ret = NULL;
		return err_oom(err);
	}
	return 0;
}
