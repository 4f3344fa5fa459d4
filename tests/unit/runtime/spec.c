#include "../cmocka-all.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/spec.h"

#define LINUX "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"}]}"
#define HEAD "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
#define PROCESS "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]}"

static int load(const char *text, struct spec *ret, struct error *err)
{
	json_t *json = NULL;
	int r = json_parse("config.json", text, strlen(text), &json, err);

	return r < 0 ? r : spec_from_json_consume(json, ret, err);
}

static void the_least_that_is_a_container(void **state UNUSED)
{
	cleanup_spec struct spec spec = SPEC_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(load(HEAD PROCESS "," LINUX "}", &spec, &err), 0);
	assert_string_equal(spec.root_path, "rootfs");
	assert_string_equal(spec.process->args[0], "sh");
	assert_null(spec.process->args[1]);
	assert_true(spec_new_ns(&spec, NS_KIND_PID));
	assert_false(spec_wants_ns(&spec, NS_KIND_NET));
	assert_true(spec.process->umask == SPEC_UNSET);
}

/* Each damage gives one line that names the place. */
static void damage_is_told_with_its_place(void **state UNUSED)
{
	static const struct {
		const char *text;
		int code;
		const char *told;
	} cases[] = {
		{ "[]", -EBADMSG, "expected a JSON object" },
		{ "{}", -EBADMSG, "ociVersion: missing or empty" },
		{ "{\"ociVersion\":\"2.0\"}", -EOPNOTSUPP, "ociVersion: '2.0' is not supported" },
		{ "{\"ociVersion\":\"1.0\"}", -EBADMSG, "root.path: missing or empty" },
		{ HEAD PROCESS "}", -EBADMSG, "linux: missing or empty" },
		{ HEAD "\"process\":{\"cwd\":\"x\",\"args\":[\"sh\"]}," LINUX "}", -EBADMSG,
		  "process.cwd: expected an absolute path" },
		{ HEAD "\"process\":{\"cwd\":\"/\",\"args\":[]}," LINUX "}", -EBADMSG,
		  "process.args: missing or empty" },
		{ HEAD
		  "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"user\":{\"uid\":4294967296}}," LINUX
		  "}",
		  -EBADMSG, "process.user.uid: 4294967296 does not fit 32 bits" },
		{ HEAD
		  "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"rlimits\":[{\"type\":\"RLIMIT_X\"}]}," LINUX
		  "}",
		  -EBADMSG, "process.rlimits[0].type: unknown limit 'RLIMIT_X'" },
		{ HEAD
		  "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]}," LINUX
		  "}",
		  -EBADMSG, "process.rlimits[0]: soft limit 2 above hard limit 1" },
		{ HEAD "\"mounts\":[{\"destination\":\"/x\",\"options\":[\"rbind\"]}]," LINUX "}",
		  -EBADMSG, "mounts[0].source: missing or empty" },
		{ HEAD "\"mounts\":[5]," LINUX "}", -EBADMSG, "mounts[0]: expected an object" },
		{ HEAD "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"mount\"}]}}",
		  -EBADMSG, "linux.namespaces[1]: a second namespace of type 'mount'" },
		{ HEAD "\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"}]}}",
		  -EBADMSG, "a new user namespace needs user and group mappings" },
		{ HEAD "\"linux\":{}}", -EOPNOTSUPP, "without a mount namespace" },
		{ HEAD "\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}," LINUX "}", -EBADMSG,
		  "hooks.prestart[0].path: expected an absolute path" },
		{ HEAD "\"linux\":{\"resources\":{\"devices\":[{\"access\":\"rx\"}]}}}", -EBADMSG,
		  "linux.resources.devices[0].access: 'x' is none of r, w, m" },
		{ HEAD "\"linux\":{\"resources\":{\"unified\":{\"../x.y\":\"1\"}}}}", -EBADMSG,
		  "'../x.y' is not a cgroup file" },
		{ HEAD "\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"q\"}]}}", -EBADMSG,
		  "linux.devices[0].type: unknown device type 'q'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_spec struct spec spec = SPEC_INIT;
		struct error err = ERROR_INIT;

		assert_int_equal(load(cases[i].text, &spec, &err), cases[i].code);
		if (!strstr(err.text, cases[i].told))
			fail_msg("told \"%s\", wanted \"%s\"", err.text, cases[i].told);
		assert_null(strchr(err.text, '\n'));
	}
}

static void limits_and_capabilities(void **state UNUSED)
{
	cleanup_spec struct spec spec = SPEC_INIT;
	const char *text =
		HEAD "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"rlimits\":["
		     "{\"type\":\"RLIMIT_NOFILE\",\"soft\":5,\"hard\":18446744073709551615}],"
		     "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_FUTURE\"],"
		     "\"ambient\":[\"cap_chown\"]}}," LINUX "}";

	assert_int_equal(load(text, &spec, NULL), 0);
	assert_int_equal(spec.process->n_rlimits, 1);
	assert_int_equal(spec.process->rlimits[0].resource, RLIMIT_NOFILE);
	assert_true(spec.process->rlimits[0].hard == RLIM_INFINITY);
	assert_true(spec.process->caps.bounding == 1 << 5);
	assert_true(spec.process->caps.ambient == 1);
	assert_true(spec.process->caps.permitted == 0);
}

static void resources(void **state UNUSED)
{
	cleanup_spec struct spec spec = SPEC_INIT;
	const struct spec_resources *res = &spec.lx.resources;
	const char *text = HEAD
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"resources\":{"
		"\"memory\":{\"limit\":-1},\"cpu\":{\"shares\":1024,\"cpus\":\"0-1\"},"
		"\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":9}],"
		"\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":1,\"rate\":7}]},"
		"\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4}]}}}";

	assert_int_equal(load(text, &spec, NULL), 0);
	assert_true(spec_has(res, RES_MEMORY_LIMIT));
	assert_int_equal(res->value[RES_MEMORY_LIMIT], -1);
	assert_false(spec_has(res, RES_MEMORY_SWAP));
	assert_int_equal(res->value[RES_CPU_SHARES], 1024);
	assert_string_equal(res->cpuset_cpus, "0-1");
	assert_int_equal(res->n_throttles, 2);
	assert_string_equal(res->throttles[0].v2, "rbps");
	assert_string_equal(res->throttles[1].v2, "wiops");
	assert_int_equal(res->throttles[1].value, 7);
	assert_string_equal(res->hugetlb[0].name, "2MB");
}

static void mount_words(void **state UNUSED)
{
	char *const words[] = {
		(char[]){ "rbind" },	(char[]){ "ro" },     (char[]){ "nosuid" },
		(char[]){ "suid" },	(char[]){ "rslave" }, (char[]){ "size=64k" },
		(char[]){ "mode=755" }, (char[]){ "rro" },    NULL
	};
	cleanup_arena struct arena arena = ARENA_INIT;
	struct mount_options o;

	assert_int_equal(mount_options_parse(words, &arena, &o, NULL), 0);
	assert_true(o.bind && o.recursive_bind && !o.remount);
	assert_int_equal(o.flags, MS_RDONLY);
	assert_int_equal(o.cleared, MS_NOSUID);
	assert_int_equal(o.propagation, MS_SLAVE | MS_REC);
	assert_int_equal(o.attr_set, MOUNT_ATTR_RDONLY);
	assert_string_equal(o.data, "size=64k,mode=755");
	assert_int_equal(mount_options_parse(NULL, &arena, &o, NULL), 0);
	assert_null(o.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_that_is_a_container),
		cmocka_unit_test(damage_is_told_with_its_place),
		cmocka_unit_test(limits_and_capabilities),
		cmocka_unit_test(resources),
		cmocka_unit_test(mount_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
