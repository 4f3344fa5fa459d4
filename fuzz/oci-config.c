/*
 * oci-config: config.json, its seccomp filter, and the groups in a state file.
 */
#include "fuzz.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/cgroup.h"
#include "runtime/spec.h"
#include "runtime/syscall-filter.h"

static void as_config(const char *text, size_t size)
{
	cleanup_seccomp struct seccomp_program filter = SECCOMP_PROGRAM_INIT;
	cleanup_spec struct spec spec = SPEC_INIT;
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	if (json_parse("config.json", text, size, &json, &err) < 0) {
		assert(err.code < 0 && err.text[0]);
		return;
	}
	if (spec_from_json_consume(json, &spec, &err) < 0) {
		assert(err.code < 0 && err.text[0]);
		return;
	}
	if (seccomp_compile(spec.lx.seccomp, &filter, &err) < 0)
		assert(err.code < 0 && err.text[0]);
}

static void as_groups(const char *text, size_t size)
{
	cleanup_cgroup struct cgroup cg = CGROUP_INIT;
	cleanup_json json_t *json = NULL;
	struct error err = ERROR_INIT;

	if (json_parse("state.json", text, size, &json, NULL) < 0)
		return;
	if (cgroup_from_json(json, &cg, &err) < 0)
		assert(err.code < 0 && err.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_config((const char *)data, size);
	as_groups((const char *)data, size);
	return 0;
}
