/*
 * spec: from options to the OCI spec: capabilities, mounts, namespaces, limits, seccomp.
 */
#include "pod/spec.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "pod/caps.h"
#include "pod/create.h"
#include "pod/seccomp.h"
#include "pod/signals.h"

#include "../cmocka-all.h"

static json_t *make(const struct create_options *o)
{
	struct strv args = STRV_INIT;
	struct strv env = STRV_INIT;
	struct strv image_volumes = STRV_INIT;
	json_t *volumes = json_array();
	json_t *mounts = NULL;
	json_t *spec = NULL;

	strv_add(&args, "sleep");
	strv_add(&args, "1");
	strv_add(&env, "A=b");
	assert_int_equal(mounts_make(o, &image_volumes, &mounts, volumes, NULL), 0);
	assert_int_equal(spec_make(o, &args, &env, "/work", "host1", mounts, &spec, NULL), 0);
	json_decref(mounts);
	json_decref(volumes);
	strv_done(&args);
	strv_done(&env);
	return spec;
}

static const json_t *at(const json_t *value, const char *a, const char *b)
{
	return json_object_get(json_object_get(value, a), b);
}

static bool has_namespace(const json_t *spec, const char *type)
{
	const json_t *item;
	size_t i;

	json_array_foreach(at(spec, "linux", "namespaces"), i,
			   item) if (strcmp(json_string_value(json_object_get(item, "type")),
					    type) == 0) return true;
	return false;
}

static const json_t *mount_at(const json_t *spec, const char *destination)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(spec, "mounts"), i,
			   item) if (strcmp(json_string_value(json_object_get(item, "destination")),
					    destination) == 0) return item;
	return NULL;
}

static bool has_option(const json_t *mount, const char *word)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(mount, "options"), i,
			   item) if (strcmp(json_string_value(item), word) == 0) return true;
	return false;
}

static void the_plain_one(void **state)
{
	struct create_options o = { 0 };
	json_t *spec = make(&o);

	(void)state;
	assert_string_equal(json_string_value(at(spec, "process", "cwd")), "/work");
	assert_int_equal(json_array_size(at(spec, "process", "args")), 2);
	assert_string_equal(json_string_value(json_object_get(spec, "hostname")), "host1");
	assert_true(has_namespace(spec, "pid") && has_namespace(spec, "network") &&
		    has_namespace(spec, "ipc") && has_namespace(spec, "uts") &&
		    has_namespace(spec, "mount"));
	assert_true(json_array_size(at(spec, "linux", "maskedPaths")) > 5);
	assert_true(json_array_size(at(spec, "linux", "readonlyPaths")) > 3);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(at(spec, "linux", "resources"), "pids"), "limit")),
			 2048);
	assert_true(has_option(mount_at(spec, "/sys"), "ro"));
	assert_string_equal(json_string_value(json_object_get(mount_at(spec, "/dev/shm"), "type")),
			    "tmpfs");
	/* Raising hard limits needs a capability that may be missing. */
	assert_int_equal(json_array_size(at(spec, "process", "rlimits")), 0);
	json_decref(spec);
}

static void host_namespaces(void **state)
{
	struct create_options o = {
		.pid = "host", .network = "host", .ipc = "host", .uts = "host"
	};
	json_t *spec = make(&o);

	(void)state;
	assert_false(has_namespace(spec, "pid") || has_namespace(spec, "network") ||
		     has_namespace(spec, "ipc") || has_namespace(spec, "uts"));
	assert_null(json_object_get(spec, "hostname"));
	assert_string_equal(json_string_value(json_object_get(mount_at(spec, "/dev/shm"), "type")),
			    "bind");
	json_decref(spec);
}

static void privileged(void **state)
{
	struct create_options o = { .privileged = true };
	json_t *spec = make(&o);

	(void)state;
	assert_null(at(spec, "linux", "maskedPaths"));
	assert_null(at(spec, "linux", "readonlyPaths"));
	assert_true(has_option(mount_at(spec, "/sys"), "rw"));
	json_decref(spec);
}

static void volumes_and_tmpfs(void **state)
{
	struct create_options o = { .read_only = true };
	json_t *spec;

	(void)state;
	strv_add(&o.volumes, "/etc:/outside:ro,nosuid");
	strv_add(&o.volumes, "named:/data");
	strv_add(&o.volumes, "/anonymous");
	strv_add(&o.tmpfs, "/scratch:size=1m");
	strv_add(&o.mounts, "type=bind,source=/etc,target=/again,readonly");
	spec = make(&o);
	assert_true(has_option(mount_at(spec, "/outside"), "ro"));
	assert_true(has_option(mount_at(spec, "/outside"), "nosuid"));
	assert_true(has_option(mount_at(spec, "/outside"), "rprivate"));
	assert_true(has_option(mount_at(spec, "/again"), "ro"));
	assert_string_equal(json_string_value(json_object_get(mount_at(spec, "/data"), "source")),
			    "volume:named");
	assert_int_equal(
		strlen(json_string_value(json_object_get(mount_at(spec, "/anonymous"), "source"))),
		strlen("volume:") + ID_LEN);
	assert_true(has_option(mount_at(spec, "/scratch"), "size=1m"));
	assert_non_null(mount_at(spec, "/tmp")); /* what stays writable with --read-only */
	assert_true(json_is_true(at(spec, "root", "readonly")));
	create_options_done(&o);
	json_decref(spec);
}

static void a_later_mount_of_the_same_place_wins(void **state)
{
	struct create_options o = { 0 };
	json_t *spec;

	(void)state;
	strv_add(&o.tmpfs, "/dev/shm:size=5m");
	spec = make(&o);
	assert_true(has_option(mount_at(spec, "/dev/shm"), "size=5m"));
	create_options_done(&o);
	json_decref(spec);
}

static void limits(void **state)
{
	struct create_options o = { .memory = "64m", .cpus = "1.5", .pids_limit = "-1" };
	const json_t *resources;
	json_t *spec;

	(void)state;
	strv_add(&o.ulimits, "nofile=100:200");
	spec = make(&o);
	resources = at(spec, "linux", "resources");
	assert_int_equal(json_integer_value(at(resources, "memory", "limit")), 64 << 20);
	assert_int_equal(json_integer_value(at(resources, "cpu", "quota")), 150000);
	assert_null(json_object_get(resources, "pids"));
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(at(spec, "process", "rlimits"), 0), "type")),
			    "RLIMIT_NOFILE");
	create_options_done(&o);
	json_decref(spec);
}

static void sizes(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(size_parse("5", &n, NULL), 0);
	assert_int_equal(n, 5);
	assert_int_equal(size_parse("3kb", &n, NULL), 0);
	assert_int_equal(n, 3072);
	assert_int_equal(size_parse("2G", &n, NULL), 0);
	assert_int_equal(n, UINT64_C(2) << 30);
	assert_int_equal(size_parse("", &n, NULL), -EINVAL);
	assert_int_equal(size_parse("-1", &n, NULL), -EINVAL);
	assert_int_equal(size_parse("1x", &n, NULL), -EINVAL);
	assert_int_equal(size_parse("99999999999g", &n, NULL), -EINVAL);
	assert_int_equal(size_parse("99999999999999999999", &n, NULL), -EINVAL);
}

static void capabilities(void **state)
{
	struct strv add = STRV_INIT;
	struct strv drop = STRV_INIT;
	struct strv caps = STRV_INIT;

	(void)state;
	assert_int_equal(caps_choose(&add, &drop, false, &caps, NULL), 0);
	assert_int_equal(strv_contains(&caps, "CAP_CHOWN"),
			 prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 1);
	assert_false(strv_contains(&caps, "CAP_SYS_ADMIN"));
	strv_done(&caps);
	strv_add(&drop, "ALL");
	strv_add(&add, "sys_admin");
	assert_int_equal(caps_choose(&add, &drop, false, &caps, NULL), 0);
	assert_int_equal(caps.n, 1);
	assert_string_equal(caps.items[0], "CAP_SYS_ADMIN");
	strv_done(&caps);
	strv_add(&add, "cap_flying");
	assert_int_equal(caps_choose(&add, &drop, false, &caps, NULL), -EINVAL);
	strv_done(&caps);
	strv_done(&add);
	strv_done(&drop);
}

static bool denies(const json_t *profile, const char *call)
{
	const json_t *rule;
	const json_t *name;
	size_t i;
	size_t n;

	json_array_foreach(json_object_get(profile, "syscalls"), i, rule) json_array_foreach(
		json_object_get(rule, "names"), n,
		name) if (strcmp(json_string_value(name), call) == 0) return true;
	return false;
}

static void seccomp(void **state)
{
	struct strv caps = STRV_INIT;
	struct error err = ERROR_INIT;
	json_t *profile = NULL;

	(void)state;
	assert_int_equal(seccomp_make("unconfined", &caps, &profile, NULL), 0);
	assert_null(profile);
	assert_int_equal(seccomp_make("default", &caps, &profile, NULL), 0);
	assert_true(denies(profile, "mount") && denies(profile, "clone") &&
		    denies(profile, "bpf") && denies(profile, "keyctl"));
	assert_false(denies(profile, "read") || denies(profile, "ptrace"));
	json_decref(profile);
	profile = NULL;
	strv_add(&caps, "CAP_SYS_ADMIN");
	assert_int_equal(seccomp_make("default", &caps, &profile, NULL), 0);
	assert_false(denies(profile, "mount") || denies(profile, "clone"));
	assert_true(denies(profile, "keyctl") && denies(profile, "reboot"));
	json_decref(profile);
	assert_int_equal(seccomp_make("/nonexistent", &caps, &profile, &err), -ENOENT);
	assert_int_equal(seccomp_make("/etc/passwd", &caps, &profile, &err), -EBADMSG);
	strv_done(&caps);
}

static void signals(void **state)
{
	(void)state;
	assert_int_equal(signal_parse("TERM"), 15);
	assert_int_equal(signal_parse("sigKill"), 9);
	assert_int_equal(signal_parse("1"), 1);
	assert_int_equal(signal_parse("RTMIN+3"), 37);
	assert_int_equal(signal_parse("RTMAX"), 64);
	assert_int_equal(signal_parse("0"), -EINVAL);
	assert_int_equal(signal_parse("65"), -EINVAL);
	assert_int_equal(signal_parse("9x"), -EINVAL);
	assert_int_equal(signal_parse(""), -EINVAL);
	assert_int_equal(signal_parse("RTMIN+99"), -EINVAL);
	assert_string_equal(signal_word(15), "SIGTERM");
	assert_null(signal_word(64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_plain_one),
		cmocka_unit_test(host_namespaces),
		cmocka_unit_test(privileged),
		cmocka_unit_test(volumes_and_tmpfs),
		cmocka_unit_test(a_later_mount_of_the_same_place_wins),
		cmocka_unit_test(limits),
		cmocka_unit_test(sizes),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(seccomp),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
