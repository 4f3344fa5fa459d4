#include "pod/oci.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/spawn.h"
#include "pod/container.h"
#include "pod/pod.h"

#define SAID_MAX ((size_t)1 << 20)

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

static int call_failed(const struct container *c, const char *verb, int status, const char *said,
		       struct error *err)
{
	char words[ERROR_TEXT_MAX];
	char hint[ERROR_HINT_MAX];
	int r;

	if (WIFSIGNALED(status))
		return err_set(err, -EIO, "%s %s failed: killed by signal %d", oci_runtime_name(c),
			       verb, WTERMSIG(status));
	oci_last_words(said, words, sizeof(words), hint, sizeof(hint));
	r = err_set(err, -EIO, "%s %s failed: exit status %d%s%s", oci_runtime_name(c), verb,
		    WEXITSTATUS(status), words[0] ? ": " : "", words);
	if (hint[0])
		err_hint(err, "%s", hint);
	return r;
}

/* RUNTIME [globals] VERB [words...] ID [after...] */
static int make_argv(const struct pod *pod, const struct container *c, const char *verb,
		     const struct strv *words, const struct strv *after, struct strv *argv,
		     struct error *err)
{
	cleanup_free char *runtime = NULL;
	int r = oci_find_runtime(pod, c, &runtime, err);

	if (r < 0)
		return r;
	strv_add(argv, runtime);
	r = oci_global_words(pod, argv, err);
	if (r < 0)
		return r;
	strv_add(argv, verb);
	add_all(argv, words);
	strv_add(argv, c->id);
	add_all(argv, after);
	if (!strv_ok(argv))
		return err_oom(err);
	log_debug("%s %s %s", runtime, verb, c->id);
	return 0;
}

int oci_ask(const struct pod *pod, const struct container *c, const char *verb,
	    const struct strv *words, const struct strv *after, struct buf *out, struct error *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	struct spawn spawn = SPAWN_INIT;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	int r = make_argv(pod, c, verb, words, after, &argv, err);

	if (r < 0)
		return r;
	spawn.argv = strv_argv(&argv);
	r = spawn_run(&spawn, &result, err);
	if (r < 0)
		return r;
	if (out)
		buf_add(out, buf_str(&result.out), result.out.len);
	if (WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0)
		return out && !buf_ok(out) ? err_oom(err) : 0;
	return call_failed(c, verb, result.status, buf_str(&result.err), err);
}

int oci_call(const struct pod *pod, const struct container *c, const char *verb,
	     const struct strv *words, const struct strv *after, struct error *err)
{
	return oci_ask(pod, c, verb, words, after, NULL, err);
}

bool oci_has_feature(const struct pod *pod, const struct container *c, const char *name)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_json json_t *features = NULL;
	cleanup_free char *runtime = NULL;
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	struct spawn spawn = SPAWN_INIT;
	const char *value;

	if (oci_find_runtime(pod, c, &runtime, NULL) < 0)
		return false;
	strv_add(&argv, runtime);
	strv_add(&argv, "features");
	if (!strv_ok(&argv))
		return false;
	spawn.argv = strv_argv(&argv);
	if (spawn_run(&spawn, &result, NULL) < 0 || result.status != 0 ||
	    json_parse("the runtime's features", buf_str(&result.out), result.out.len, &features,
		       NULL) < 0)
		return false;
	value = json_string_value(json_object_get(json_object_get(features, "annotations"), name));
	return value && strcmp(value, "true") == 0;
}

/* A runtime that is holding still, or has failed before. */
struct held_call {
	pid_t pid;
	int ours; /* our end of the socket */
	int theirs;
	int said_fd; /* its standard error: a memory file */
};

static void held_call_done(struct held_call *call)
{
	cleanup_fd_p(&call->ours);
	cleanup_fd_p(&call->theirs);
	cleanup_fd_p(&call->said_fd);
}

static int start_held(struct held_call *call, struct strv *argv, struct error *err)
{
	struct spawn spawn = SPAWN_INIT;
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket for the runtime");
	call->ours = pair[0];
	call->theirs = pair[1];
	call->said_fd = memfd_create("runtime-stderr", MFD_CLOEXEC);
	if (call->said_fd < 0)
		return err_sys(err, "make a file for the runtime's words");
	spawn.argv = strv_argv(argv);
	spawn.out = SPAWN_NULL;
	spawn.err = call->said_fd;
	spawn.fds = &call->theirs;
	spawn.n_fds = 1;
	r = spawn_start(&spawn, &call->pid, err);
	cleanup_fd_p(&call->theirs); /* its end is the runtime's alone: its death is seen */
	call->theirs = -EBADF;
	return r;
}

static bool is_holding(const struct held_call *call)
{
	char said = 0;
	ssize_t n;

	do
		n = read(call->ours, &said, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 && said == '1';
}

static int end_held(struct held_call *call, const struct container *c, const char *verb,
		    struct error *err)
{
	cleanup_free char *said = NULL;
	int status = 0;
	pid_t pid;

	do
		pid = waitpid(call->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return err_sys(err, "wait for the runtime");
	if (status == 0)
		return 0;
	if (lseek(call->said_fd, 0, SEEK_SET) < 0 ||
	    fd_slurp(call->said_fd, SAID_MAX, &said, NULL) < 0)
		said = NULL;
	return call_failed(c, verb, status, said ? said : "", err);
}

int oci_call_held(const struct pod *pod, const struct container *c, const char *verb,
		  const struct strv *words, int (*meanwhile)(void *arg, struct error *err),
		  void *arg, struct error *err)
{
	__attribute__((cleanup(held_call_done))) struct held_call call = { .ours = -EBADF,
									   .theirs = -EBADF,
									   .said_fd = -EBADF };
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_strv struct strv all = STRV_INIT;
	int r;

	strv_add(&all, "--hold-fd=3");
	add_all(&all, words);
	r = make_argv(pod, c, verb, &all, NULL, &argv, err);
	if (r == 0)
		r = start_held(&call, &argv, err);
	if (r < 0)
		return r;
	if (!is_holding(&call))
		return end_held(&call, c, verb, err);
	r = meanwhile(arg, err);
	if (r < 0) {
		(void)!send(call.ours, "0", 1, MSG_NOSIGNAL); /* if it is gone, that is as good */
		(void)end_held(&call, c, verb, NULL);	      /* it fails because we said so */
		return r;
	}
	if (send(call.ours, "1", 1, MSG_NOSIGNAL) != 1)
		log_debug("the runtime is gone before it was let go");
	return end_held(&call, c, verb, err);
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
