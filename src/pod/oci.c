#include "pod/oci.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/spawn.h"
#include "pod/container.h"
#include "pod/pod.h"

int oci_global_words(const struct pod *pod, struct strv *words, struct error *err)
{
	const struct strv *flags = pod->settings.runtime_flags;

	strv_add(words, "--root");
	strv_addf(words, "%s/runtime", pod->runroot);
	for (size_t i = 0; flags && i < flags->n; i++)
		strv_addf(words, "--%s", flags->items[i]);
	return strv_ok(words) ? 0 : err_oom(err);
}

int oci_find_runtime(const struct pod *pod, const struct container *c, char **ret,
		     struct error *err)
{
	const char *name = container_config_string(c, "runtime");

	return pod_find_program(pod, name ? name : "cryorun", ret, err);
}

const char *oci_runtime_name(const struct container *c)
{
	const char *name = container_config_string(c, "runtime");
	const char *slash = name ? strrchr(name, '/') : NULL;

	if (!name)
		return "cryorun";
	return slash ? slash + 1 : name;
}

static void add_all(struct strv *words, const struct strv *more)
{
	for (size_t i = 0; more && i < more->n; i++)
		strv_add(words, more->items[i]);
}

int oci_call(const struct pod *pod, const struct container *c, const char *verb,
	     const struct strv *words, const struct strv *after, struct error *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_free char *runtime = NULL;
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	const char *last;
	size_t len = 0;
	int r = oci_find_runtime(pod, c, &runtime, err);

	if (r < 0)
		return r;
	strv_add(&argv, runtime);
	r = oci_global_words(pod, &argv, err);
	if (r < 0)
		return r;
	strv_add(&argv, verb);
	add_all(&argv, words);
	strv_add(&argv, c->id);
	add_all(&argv, after);
	if (!strv_ok(&argv))
		return err_oom(err);
	log_debug("%s %s %s", runtime, verb, c->id);
	spawn.argv = strv_argv(&argv);
	r = spawn_run(&spawn, &result, err);
	if (r < 0)
		return r;
	if (WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0)
		return 0;
	last = spawn_last_line(&result.err, &len);
	if (WIFSIGNALED(result.status))
		return err_set(err, -EIO, "%s %s failed: killed by signal %d", oci_runtime_name(c),
			       verb, WTERMSIG(result.status));
	return err_set(err, -EIO, "%s %s failed: exit status %d%s%.*s", oci_runtime_name(c), verb,
		       WEXITSTATUS(result.status), len > 0 ? ": " : "", (int)len, last);
}

int oci_delete(const struct pod *pod, const struct container *c, struct error *err)
{
	cleanup_strv struct strv force = STRV_INIT;

	strv_add(&force, "--force");
	return strv_ok(&force) ? oci_call(pod, c, "delete", &force, NULL, err) : err_oom(err);
}
