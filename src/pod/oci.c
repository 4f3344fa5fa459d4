#include "pod/oci.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
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

/* The last line before `end` that is not empty. */
static const char *line_before(const char *text, const char *end, size_t *ret_len)
{
	const char *begin;

	while (end > text && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	for (begin = end; begin > text && begin[-1] != '\n'; begin--)
		;
	*ret_len = (size_t)(end - begin);
	return begin;
}

/* runc logs as time="..." level=error msg="text": only the text is for people. */
static void copy_words(const char *line, size_t len, char *ret, size_t size)
{
	static const char mark[] = "level=error msg=\"";
	const char *end = line + len;
	const char *at = memmem(line, len, mark, sizeof(mark) - 1);
	size_t n = 0;

	if (!at) {
		static const char *const prefixes[] = { "Error: ", "cryorun: " };

		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
			size_t prefix = strlen(prefixes[i]);

			if (len > prefix && strncmp(line, prefixes[i], prefix) == 0) {
				line += prefix;
				len -= prefix;
			}
		}
		(void)snprintf(ret, size, "%.*s", (int)len, line);
		return;
	}
	for (at += sizeof(mark) - 1; at < end && *at != '"' && n + 1 < size; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		ret[n++] = *at;
	}
	ret[n] = '\0';
}

void oci_last_words(const char *output, char *words, size_t words_size, char *hint,
		    size_t hint_size)
{
	size_t len = 0;
	const char *line = line_before(output, output + strlen(output), &len);

	hint[0] = '\0';
	if (len > 6 && strncmp(line, "hint: ", 6) == 0) {
		(void)snprintf(hint, hint_size, "%.*s", (int)(len - 6), line + 6);
		line = line_before(output, line, &len);
	}
	copy_words(line, len, words, words_size);
}

static int call_failed(const struct container *c, const char *verb,
		       const struct spawn_result *result, struct error *err)
{
	char words[ERROR_TEXT_MAX];
	char hint[ERROR_HINT_MAX];
	int r;

	if (WIFSIGNALED(result->status))
		return err_set(err, -EIO, "%s %s failed: killed by signal %d", oci_runtime_name(c),
			       verb, WTERMSIG(result->status));
	oci_last_words(buf_str(&result->err), words, sizeof(words), hint, sizeof(hint));
	r = err_set(err, -EIO, "%s %s failed: exit status %d%s%s", oci_runtime_name(c), verb,
		    WEXITSTATUS(result->status), words[0] ? ": " : "", words);
	if (hint[0])
		err_hint(err, "%s", hint);
	return r;
}

int oci_ask(const struct pod *pod, const struct container *c, const char *verb,
	    const struct strv *words, const struct strv *after, struct buf *out, struct error *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_free char *runtime = NULL;
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
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
	if (out)
		buf_add(out, buf_str(&result.out), result.out.len);
	if (WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0)
		return out && !buf_ok(out) ? err_oom(err) : 0;
	return call_failed(c, verb, &result, err);
}

int oci_call(const struct pod *pod, const struct container *c, const char *verb,
	     const struct strv *words, const struct strv *after, struct error *err)
{
	return oci_ask(pod, c, verb, words, after, NULL, err);
}

int oci_delete(const struct pod *pod, const struct container *c, struct error *err)
{
	cleanup_strv struct strv force = STRV_INIT;

	strv_add(&force, "--force");
	return strv_ok(&force) ? oci_call(pod, c, "delete", &force, NULL, err) : err_oom(err);
}

int oci_state(const struct pod *pod, const struct container *c, char **ret, struct error *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_json json_t *state = NULL;
	const char *status;
	int r = oci_ask(pod, c, "state", NULL, NULL, &out, err);

	if (r == 0)
		r = json_parse("the runtime's state", buf_str(&out), out.len, &state, err);
	if (r < 0)
		return r;
	status = json_string_value(json_object_get(state, "status"));
	if (!status)
		return err_set(err, -EBADMSG, "the runtime's state has no status");
	*ret = strdup(status);
	return *ret ? 0 : err_oom(err);
}
