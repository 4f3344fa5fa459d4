#include <errno.h>
#include <seccomp.h>
#include <stdio.h>

#include "base/cap-names.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "runtime/mount-options.h"
#include "runtime/runtime.h"

static json_t *capability_names(void)
{
	json_t *list = json_array();

	for (int cap = 0; cap_name(cap); cap++)
		(void)json_array_append_new(list, json_string(cap_name(cap)));
	return list;
}

static json_t *mount_words(void)
{
	json_t *list = json_array();

	for (size_t i = 0; mount_options_word(i); i++)
		(void)json_array_append_new(list, json_string(mount_options_word(i)));
	return list;
}

static json_t *seccomp_part(void)
{
	return json_pack("{s:b, s:[s,s,s,s,s,s,s,s], s:[s,s,s,s,s,s,s], s:[s,s]}", "enabled", 1,
			 "actions", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
			 "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
			 "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", "operators", "SCMP_CMP_EQ",
			 "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
			 "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", "knownFlags",
			 "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW");
}

int runtime_features(char **ret, struct error *err)
{
	const struct scmp_version *v = seccomp_version();
	cleanup_json json_t *features = NULL;
	char version[32];

	(void)snprintf(version, sizeof(version), "%u.%u.%u", v->major, v->minor, v->micro);
	features = json_pack(
		"{s:s, s:s, s:[s,s,s,s,s,s], s:o, s:{s:[s,s,s,s,s,s,s,s], s:o,"
		" s:{s:b, s:b, s:b, s:b}, s:o, s:{s:b}, s:{s:b}, s:{s:b}}, s:{s:s, s:s, s:s, s:s}}",
		"ociVersionMin", "1.0.0", "ociVersionMax", "1.0.2", "hooks", "prestart",
		"createRuntime", "createContainer", "startContainer", "poststart", "poststop",
		"mountOptions", mount_words(), "linux", "namespaces", "cgroup", "ipc", "mount",
		"network", "pid", "time", "user", "uts", "capabilities", capability_names(),
		"cgroup", "v1", 1, "v2", 1, "systemd", 0, "systemdUser", 0, "seccomp",
		seccomp_part(), "apparmor", "enabled", 0, "selinux", "enabled", 0, "intelRdt",
		"enabled", 0, "annotations", "io.github.seccomp.libseccomp.version", version,
		"org.opencontainers.runc.checkpoint.enabled", "true",
		"io.cryopod.runtime.checkpoint.hold", "true", "io.cryopod.runtime.checkpoint.check",
		"true");
	if (!features)
		return err_oom(err);
	return json_format(features, 4, ret, err);
}
