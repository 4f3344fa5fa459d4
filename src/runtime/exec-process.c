#include "runtime/exec-process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cap-names.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/runtime.h"

static int set(json_t *object, const char *key, json_t *value, struct error *err)
{
	return json_object_set_new(object, key, value) < 0 ? err_oom(err) : 0;
}

static int set_list(json_t *object, const char *key, char *const *words, bool append,
		    struct error *err)
{
	json_t *old = json_object_get(object, key);
	json_t *list = append && json_is_array(old) ? json_deep_copy(old) : json_array();

	for (; words && *words; words++)
		if (json_array_append_new(list, json_string(*words)) < 0) {
			json_decref(list);
			return err_set(err, -EINVAL, "%s: '%s' is not valid UTF-8", key, *words);
		}
	return set(object, key, list, err);
}

static int parse_id(const char *text, const char **ret_end, json_int_t *ret)
{
	char *end = NULL;
	long long n = strtoll(text, &end, 10);

	if (end == text || n < 0 || n >= UINT32_MAX)
		return -EINVAL;
	*ret_end = end;
	*ret = n;
	return 0;
}

/* "1000" or "1000:100"; names are the business of those who have the image's files. */
static int change_user(json_t *process, const char *user, struct error *err)
{
	json_t *json = json_object_get(process, "user");
	json_int_t uid = 0;
	json_int_t gid = 0;
	const char *end;

	if (!user || !*user)
		return 0;
	if (parse_id(user, &end, &uid) < 0 ||
	    (*end == ':' && (parse_id(end + 1, &end, &gid) < 0 || *end)) || (*end && *end != ':'))
		return err_set(err, -EINVAL, "--user '%s': expected UID or UID:GID", user);
	json = json_is_object(json) ? json_incref(json) : json_object();
	if (json_object_set_new(json, "uid", json_integer(uid)) < 0 ||
	    (strchr(user, ':') && json_object_set_new(json, "gid", json_integer(gid)) < 0)) {
		json_decref(json);
		return err_oom(err);
	}
	return set(process, "user", json, err);
}

static int change_groups(json_t *process, char *const *groups, struct error *err)
{
	json_t *user = json_object_get(process, "user");
	json_t *list;

	if (!groups || !*groups)
		return 0;
	list = json_array();
	for (; *groups; groups++) {
		json_int_t gid = 0;
		const char *end;

		if (parse_id(*groups, &end, &gid) < 0 || *end) {
			json_decref(list);
			return err_set(err, -EINVAL, "--additional-gids '%s': not a group id",
				       *groups);
		}
		if (json_array_append_new(list, json_integer(gid)) < 0) {
			json_decref(list);
			return err_oom(err);
		}
	}
	if (!json_is_object(user)) {
		user = json_object();
		if (set(process, "user", user, err) < 0) {
			json_decref(list);
			return -ENOMEM;
		}
	}
	return set(user, "additionalGids", list, err);
}

static int add_capabilities(json_t *process, char *const *caps, struct error *err)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "ambient" };
	json_t *json = json_object_get(process, "capabilities");

	if (!caps || !*caps)
		return 0;
	for (char *const *c = caps; *c; c++)
		if (cap_number(*c) < 0)
			return err_set(err, -EINVAL, "--cap '%s': no such capability", *c);
	if (!json_is_object(json)) {
		json = json_object();
		if (set(process, "capabilities", json, err) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		int r = set_list(json, sets[i], caps, true, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int change(json_t *process, const struct exec_opts *opts, struct error *err)
{
	int r;

	r = set_list(process, "args", opts->args, false, err);
	if (r >= 0)
		r = set_list(process, "env", opts->env, true, err);
	if (r >= 0 && opts->cwd && *opts->cwd)
		r = set(process, "cwd", json_string(opts->cwd), err);
	if (r >= 0)
		r = change_user(process, opts->user, err);
	if (r >= 0)
		r = change_groups(process, opts->groups, err);
	if (r >= 0)
		r = add_capabilities(process, opts->caps, err);
	if (r >= 0)
		r = set(process, "terminal", json_boolean(opts->terminal), err);
	if (r >= 0 && opts->no_new_privileges)
		r = set(process, "noNewPrivileges", json_true(), err);
	return r;
}

int exec_process_load(const struct exec_opts *opts, const struct spec *container_spec,
		      struct exec_process *ret, struct error *err)
{
	cleanup_exec_process struct exec_process p = EXEC_PROCESS_INIT;
	int r;

	if (opts->process_file) {
		r = json_read_at(AT_FDCWD, opts->process_file, SPEC_SIZE_MAX, &p.json, err);
	} else {
		p.json = json_deep_copy(json_object_get(container_spec->json, "process"));
		r = p.json ? change(p.json, opts, err) : err_oom(err);
	}
	if (r >= 0 && !json_is_object(p.json))
		r = err_set(err, -EBADMSG, "process: expected an object");
	if (r >= 0)
		r = spec_parse_process(p.json, "process", &p.arena, &p.process, err);
	if (r < 0)
		return r;
	*ret = p;
	p = (struct exec_process)EXEC_PROCESS_INIT;
	return 0;
}

void exec_process_done(struct exec_process *process)
{
	int saved = errno;

	arena_done(&process->arena);
	json_decref(process->json);
	*process = (struct exec_process)EXEC_PROCESS_INIT;
	errno = saved;
}
