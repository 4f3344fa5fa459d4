#include "pod/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "pod/attach.h"
#include "pod/caps.h"
#include "pod/config.h"
#include "pod/conmon.h"
#include "pod/create.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/pod.h"
#include "pod/spec.h"
#include "pod/user.h"

#define CONFIG_MAX (4 << 20)

/* The process part of the config.json that the container was started with. */
static int load_process(const struct pod *pod, const struct container *c, json_t **ret,
			struct error *err)
{
	cleanup_free char *path = NULL;
	cleanup_json json_t *config = NULL;
	int r = pod_path(pod, c->id, "userdata/config.json", &path, err);

	if (r == 0)
		r = json_read_at(AT_FDCWD, path, CONFIG_MAX, &config, err);
	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(config, "process"));
	return json_is_object(*ret) ? 0 : err_set(err, -EBADMSG, "'%s' has no process", path);
}

static int set_env(json_t *process, const struct strv *words, struct error *err)
{
	json_t *env = json_object_get(process, "env");

	for (size_t w = 0; w < words->n; w++) {
		const char *word = words->items[w];
		size_t len = strcspn(word, "=");
		const char *own = word[len] ? NULL : getenv(word);
		const json_t *item;
		size_t i;

		if (!word[len] && !own)
			continue;
		json_array_foreach(env, i, item)
		{
			const char *pair = json_string_value(item);

			if (pair && strncmp(pair, word, len) == 0 && pair[len] == '=')
				break;
		}
		if (i < json_array_size(env) && json_array_remove(env, i) < 0)
			return err_oom(err);
		if (json_array_append_new(env, own ? json_sprintf("%s=%s", word, own)
						   : json_string(word)) < 0)
			return err_oom(err);
	}
	return 0;
}

/* That of the session's user, unless the image or create decided about it. */
static int set_home(const struct container *c, json_t *process, const char *home, struct error *err)
{
	const json_t *spec = json_object_get(c->config, "spec");
	const json_t *item;
	cleanup_strv struct strv pair = STRV_INIT;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(spec, "process"), "env"), i,
			   item) if (strncmp(json_string_value(item), "HOME=", 5) == 0) return 0;
	strv_addf(&pair, "HOME=%s", home);
	return strv_ok(&pair) ? set_env(process, &pair, err) : err_oom(err);
}

static int set_user(const struct pod *pod, const struct container *c, json_t *process,
		    const char *word, struct error *err)
{
	cleanup_free char *rootfs = NULL;
	cleanup_fd int fd = -EBADF;
	json_t *groups = json_array();
	struct user user;
	int r = pod_path(pod, c->id, "merged", &rootfs, err);

	if (r == 0) {
		fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = fd < 0 ? err_sys(err, "open folder '%s'", rootfs)
			   : user_find(fd, word, &user, err);
	}
	for (size_t i = 0; r == 0 && i < user.n_groups; i++)
		if (json_array_append_new(groups, json_integer(user.groups[i])) < 0)
			r = err_oom(err);
	if (r < 0) {
		json_decref(groups);
		return r;
	}
	if (json_object_set_new(process, "user",
				json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)user.uid, "gid",
					  (json_int_t)user.gid, "additionalGids", groups)) < 0)
		return err_oom(err);
	r = set_home(c, process, user.home, err);
	if (r < 0)
		return r;
	if (user.uid != 0) {
		json_t *caps = json_object_get(process, "capabilities");

		if (json_object_set_new(caps, "effective", json_array()) < 0 ||
		    json_object_set_new(caps, "permitted", json_array()) < 0)
			return err_oom(err);
	}
	return 0;
}

static int set_privileged(json_t *process, struct error *err)
{
	static const struct strv none = STRV_INIT;
	cleanup_strv struct strv caps = STRV_INIT;
	int r = caps_choose(&none, &none, true, &caps, err);

	if (r < 0)
		return r;
	if (json_object_set_new(process, "capabilities",
				json_pack("{s:o, s:o, s:o}", "bounding", config_array(&caps),
					  "effective", config_array(&caps), "permitted",
					  config_array(&caps))) < 0)
		return err_oom(err);
	return 0;
}

static int make_process(const struct pod *pod, const struct container *c,
			const struct session_options *o, json_t **ret, struct error *err)
{
	cleanup_json json_t *process = NULL;
	json_t *args = json_array();
	int r;

	for (char *const *word = o->args; args && *word; word++)
		if (json_array_append_new(args, json_string(*word)) < 0)
			break;
	r = load_process(pod, c, &process, err);
	if (r < 0) {
		json_decref(args);
		return r;
	}
	if (json_object_set_new(process, "args", args) < 0 ||
	    json_object_set_new(process, "terminal", json_boolean(o->terminal)) < 0)
		return err_oom(err);
	if (o->workdir && json_object_set_new(process, "cwd", json_string(o->workdir)) < 0)
		return err_oom(err);
	r = o->privileged ? set_privileged(process, err) : 0;
	if (r == 0 && o->user)
		r = set_user(pod, c, process, o->user, err);
	if (r == 0)
		r = set_env(process, &o->env, err);
	if (r == 0)
		*ret = take_ptr(&process);
	return r;
}

static int session_folder(const struct pod *pod, const char *container_id, const char *id,
			  char **ret, struct error *err)
{
	char name[ID_LEN + 32];

	(void)snprintf(name, sizeof(name), "userdata/exec/%s", id);
	return pod_path(pod, container_id, name, ret, err);
}

static int write_process(const char *folder, const json_t *process, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_fd int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = -EBADF;
	int r = json_format(process, 0, &text, err);

	if (r < 0)
		return r;
	if (dir < 0)
		return err_sys(err, "open folder '%s'", folder);
	fd = openat(dir, "process.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "create '%s/process.json'", folder);
	r = fd_write_all(fd, text, strlen(text));
	return r < 0 ? err_set(err, r, "write '%s/process.json'", folder) : 0;
}

static int talk(struct held *held, struct conmon *conmon, const char *folder,
		const struct attach *attach, int *ret_code, struct error *err)
{
	cleanup_fd int fd = attach_connect(folder, err);
	int r;

	if (fd < 0)
		return fd;
	if (attach->terminal)
		attach_resize(folder);
	r = conmon_go(conmon, &held->c, err);
	held_release(held);
	if (r < 0)
		return r;
	r = attach_run(fd, folder, attach, err);
	if (r < 0)
		return r;
	if (r > 0) { /* detached: it runs on */
		*ret_code = 0;
		return 1;
	}
	return conmon_hear_exit(conmon, ret_code, err);
}

static int run_conmon(struct pod *pod, struct held *held, const struct session_options *o,
		      const char *folder, const char *id, struct attach *attach, int *ret_code,
		      struct error *err)
{
	cleanup_conmon struct conmon conmon = CONMON_INIT;
	cleanup_strv struct strv exit_command = STRV_INIT;
	cleanup_free char *spec = NULL;
	struct conmon_start start = {
		.bundle = folder,
		.uuid = id,
		.exit_dir = folder,
		.terminal = o->terminal,
		.stdin_open = o->interactive,
		.exec_attach = !o->detach,
		.exit_command = &exit_command,
	};
	int r = lifecycle_exit_command(pod, &held->c, &exit_command, err);

	if (r < 0)
		return r;
	strv_add(&exit_command, "--exec");
	strv_add(&exit_command, id);
	if (!strv_ok(&exit_command) || asprintf(&spec, "%s/process.json", folder) < 0) {
		spec = NULL;
		return err_oom(err);
	}
	start.exec_spec = spec;
	r = conmon_run(pod, &held->c, &start, &conmon, err);
	if (r < 0 || o->detach)
		return r;
	return talk(held, &conmon, folder, attach, ret_code, err);
}

int session_run(struct pod *pod, struct held *held, const struct session_options *o,
		struct attach *attach, char *ret_id, int *ret_code, struct error *err)
{
	cleanup_free char *folder = NULL;
	cleanup_json json_t *process = NULL;
	int r;

	if (!container_is_running(&held->c))
		return err_set(
			err, -EBUSY,
			"can only create exec sessions on running containers: container state "
			"improper");
	r = id_generate(ret_id, err);
	if (r == 0)
		r = session_folder(pod, held->c.id, ret_id, &folder, err);
	if (r == 0)
		r = make_process(pod, &held->c, o, &process, err);
	if (r == 0)
		r = file_make_dirs_at(AT_FDCWD, folder, 0700, err);
	if (r == 0)
		r = write_process(folder, process, err);
	if (r == 0)
		r = run_conmon(pod, held, o, folder, ret_id, attach, ret_code, err);
	/* Detached in whatever way, the session needs its folder until conmon's exit command. */
	if (folder && (r < 0 || (r == 0 && !o->detach)))
		(void)file_remove_tree_at(AT_FDCWD, folder, NULL); /* else the cleanup does it */
	return r < 0 ? r : 0;
}

int session_cleanup(struct pod *pod, const char *container_id, const char *id, struct error *err)
{
	cleanup_free char *folder = NULL;
	int r;

	if (strlen(id) != ID_LEN || strspn(id, "0123456789abcdef") != ID_LEN)
		return err_set(err, -EINVAL, "'%s' is not the id of an exec session", id);
	r = session_folder(pod, container_id, id, &folder, err);
	return r < 0 ? r : file_remove_tree_at(AT_FDCWD, folder, err);
}
