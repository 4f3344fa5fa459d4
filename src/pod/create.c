#include "pod/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "pod/config.h"
#include "pod/db.h"
#include "pod/find-image.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/pod.h"
#include "pod/signals.h"
#include "pod/spec.h"
#include "store/image.h"
#include "store/store.h"

#define DEFAULT_STOP_TIMEOUT 10
#define ENV_FILE_MAX (1 << 20)
#define NAME_TRIES 16

void create_options_done(struct create_options *o)
{
	strv_done(&o->env);
	strv_done(&o->env_files);
	strv_done(&o->labels);
	strv_done(&o->volumes);
	strv_done(&o->mounts);
	strv_done(&o->tmpfs);
	strv_done(&o->cap_add);
	strv_done(&o->cap_drop);
	strv_done(&o->security_opts);
	strv_done(&o->ulimits);
	strv_done(&o->add_hosts);
}

/* --- what can't be had ------------------------------------------------------- */

static int check_namespace(const char *option, const char *value, bool host_possible,
			   struct error *err)
{
	if (!value || strcmp(value, "private") == 0 ||
	    (host_possible && strcmp(value, "host") == 0))
		return 0;
	return err_set(err, -EOPNOTSUPP, "--%s=%s is not supported; \"private\"%s", option, value,
		       host_possible ? " and \"host\" are" : " is");
}

static int check_options(const struct create_options *o, struct error *err)
{
	int r = 0;

	if (o->network && strcmp(o->network, "none") != 0 && strcmp(o->network, "host") != 0) {
		r = err_set(err, -EOPNOTSUPP, "network '%s' is not supported", o->network);
		err_hint(err, "--network=none (the default) and --network=host are");
		return r;
	}
	r = check_namespace("pid", o->pid, true, err);
	if (r == 0)
		r = check_namespace("ipc", o->ipc, true, err);
	if (r == 0)
		r = check_namespace("uts", o->uts, true, err);
	if (r == 0)
		r = check_namespace("cgroupns", o->cgroupns, true, err);
	if (r < 0)
		return r;
	if (o->log_driver && strcmp(o->log_driver, "k8s-file") != 0)
		return err_set(err, -EOPNOTSUPP,
			       "log driver '%s' is not supported; \"k8s-file\" is", o->log_driver);
	for (size_t i = 0; i < o->security_opts.n; i++) {
		const char *word = o->security_opts.items[i];

		if (strncmp(word, "seccomp=", 8) != 0 &&
		    strncmp(word, "no-new-privileges", 17) != 0 &&
		    strcmp(word, "label=disable") != 0 && strcmp(word, "apparmor=unconfined") != 0)
			return err_set(err, -EOPNOTSUPP, "--security-opt %s is not supported",
				       word);
	}
	return 0;
}

/* --- env ------------------------------------------------------------------------ */

/* KEY=VALUE; an earlier one of the same key is replaced. */
static int env_set(struct strv *env, const char *pair, struct error *err)
{
	size_t len = strcspn(pair, "=");

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->items[i], pair, len) == 0 && env->items[i][len] == '=') {
			char *copy = strdup(pair);

			if (!copy)
				return err_oom(err);
			free(env->items[i]);
			env->items[i] = copy;
			return 0;
		}
	}
	strv_add(env, pair);
	return strv_ok(env) ? 0 : err_oom(err);
}

/* KEY=VALUE, or KEY: our own value of it, if there is one; "KEY*": all that begin so. */
static int env_set_word(struct strv *env, const char *word, struct error *err)
{
	size_t len = strlen(word);
	int r = 0;

	if (word[0] == '\0' || word[0] == '=')
		return err_set(err, -EINVAL, "no variable name on '%s'", word);
	if (strchr(word, '='))
		return env_set(env, word, err);
	for (char **e = environ; *e && r == 0; e++) {
		bool same = word[len - 1] == '*' ? strncmp(*e, word, len - 1) == 0
						 : strncmp(*e, word, len) == 0 && (*e)[len] == '=';

		if (same)
			r = env_set(env, *e, err);
	}
	return r;
}

static int env_read_file(struct strv *env, const char *path, struct error *err)
{
	cleanup_free char *text = NULL;
	char *save = NULL;
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, path, ENV_FILE_MAX, &text, &len, err);

	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " \t");
		if (*line && *line != '#')
			r = env_set_word(env, line, err);
	}
	return r;
}

static int make_env(const struct create_options *o, const struct image *image, const char *hostname,
		    struct strv *env, struct error *err)
{
	static const char *const defaults[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TERM=xterm",
		"container=cryopod",
	};
	cleanup_free char *name = NULL;
	int r = 0;

	if (asprintf(&name, "HOSTNAME=%s", hostname) < 0) {
		name = NULL;
		return err_oom(err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(defaults) && r == 0; i++)
		r = env_set(env, defaults[i], err);
	if (r == 0)
		r = env_set(env, name, err);
	for (size_t i = 0; i < image->config.env.n && r == 0; i++)
		r = env_set(env, image->config.env.items[i], err);
	for (size_t i = 0; i < o->env_files.n && r == 0; i++)
		r = env_read_file(env, o->env_files.items[i], err);
	for (size_t i = 0; i < o->env.n && r == 0; i++)
		r = env_set_word(env, o->env.items[i], err);
	return r;
}

/* --- args ---------------------------------------------------------------------- */

static int add_entrypoint(const char *word, struct strv *args, struct error *err)
{
	cleanup_json json_t *list = NULL;
	const json_t *item;
	size_t i;

	if (word[0] != '[') {
		if (word[0])
			strv_add(args, word);
		return strv_ok(args) ? 0 : err_oom(err);
	}
	if (json_parse("--entrypoint", word, strlen(word), &list, err) < 0 || !json_is_array(list))
		return err_set(err, -EINVAL, "--entrypoint: '%s' is not a JSON array", word);
	json_array_foreach(list, i, item) if (json_is_string(item))
		strv_add(args, json_string_value(item));
	return strv_ok(args) ? 0 : err_oom(err);
}

/* `entrypoint` and `command` apart, as inspect shows them. */
static int make_args(const struct create_options *o, const struct image *image,
		     struct strv *entrypoint, struct strv *command, struct error *err)
{
	int r = 0;

	if (o->entrypoint)
		r = add_entrypoint(o->entrypoint, entrypoint, err);
	for (size_t i = 0; !o->entrypoint && i < image->config.entrypoint.n; i++)
		strv_add(entrypoint, image->config.entrypoint.items[i]);
	for (size_t i = 0; i < o->n_command; i++)
		strv_add(command, o->command[i]);
	/* The image's words belong to the image's entrypoint. */
	for (size_t i = 0; o->n_command == 0 && !o->entrypoint && i < image->config.cmd.n; i++)
		strv_add(command, image->config.cmd.items[i]);
	if (r < 0)
		return r;
	if (!strv_ok(entrypoint) || !strv_ok(command))
		return err_oom(err);
	if (entrypoint->n + command->n == 0)
		return err_set(
			err, -EINVAL,
			"no command or entrypoint provided, and no CMD or ENTRYPOINT from image");
	return 0;
}

/* --- the config ------------------------------------------------------------------- */

struct parts {
	struct strv entrypoint;
	struct strv command;
	struct strv args;
	struct strv env;
	char hostname[256];
	json_t *volumes;
	json_t *spec;
};

static void parts_done(struct parts *p)
{
	strv_done(&p->entrypoint);
	strv_done(&p->command);
	strv_done(&p->args);
	strv_done(&p->env);
	json_decref(p->volumes);
	json_decref(p->spec);
}

static int choose_hostname(const struct create_options *o, const char *id, struct parts *p,
			   struct error *err)
{
	bool host = (o->network && strcmp(o->network, "host") == 0) ||
		    (o->uts && strcmp(o->uts, "host") == 0);

	if (o->hostname && strlen(o->hostname) > 64)
		return err_set(err, -EINVAL, "hostname '%s' is longer than 64 characters",
			       o->hostname);
	if (o->hostname)
		(void)snprintf(p->hostname, sizeof(p->hostname), "%s", o->hostname);
	else if (!host)
		(void)snprintf(p->hostname, sizeof(p->hostname), "%.12s", id);
	else if (gethostname(p->hostname, sizeof(p->hostname) - 1) < 0)
		return err_sys(err, "get the host's name");
	return 0;
}

static int make_parts(const struct create_options *o, const struct image *image, const char *id,
		      struct parts *p, struct error *err)
{
	const char *cwd = o->workdir ? o->workdir
			  : image->config.workdir && image->config.workdir[0]
				  ? image->config.workdir
				  : "/";
	cleanup_json json_t *mounts = NULL;
	int r = choose_hostname(o, id, p, err);

	if (cwd[0] != '/')
		return err_set(err, -EINVAL,
			       "the working directory \"%s\" is invalid, it needs to be "
			       "an absolute path",
			       cwd);
	p->volumes = json_array();
	if (!p->volumes)
		return err_oom(err);
	if (r == 0)
		r = make_args(o, image, &p->entrypoint, &p->command, err);
	if (r == 0)
		r = make_env(o, image, p->hostname, &p->env, err);
	if (r == 0)
		r = mounts_make(o, &image->config.volumes, &mounts, p->volumes, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->entrypoint.n; i++)
		strv_add(&p->args, p->entrypoint.items[i]);
	for (size_t i = 0; i < p->command.n; i++)
		strv_add(&p->args, p->command.items[i]);
	if (!strv_ok(&p->args))
		return err_oom(err);
	return spec_make(o, &p->args, &p->env, cwd, p->hostname, mounts, &p->spec, err);
}

/* "KEY=VALUE" words as an object; a word without "=" gets an empty value. */
static int add_labels(json_t *labels, const struct strv *list, struct error *err)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *equals = strchr(list->items[i], '=');
		char *key = strndup(list->items[i], strcspn(list->items[i], "="));
		int bad = !key ||
			  json_object_set_new(labels, key, json_string(equals ? equals + 1 : ""));

		free(key);
		if (bad)
			return err_oom(err);
	}
	return 0;
}

static int parse_stop(const struct create_options *o, const struct image *image, int *ret_signal,
		      int *ret_timeout, struct error *err)
{
	const char *word = o->stop_signal ? o->stop_signal : image->config.stop_signal;
	char *end = NULL;
	long timeout = DEFAULT_STOP_TIMEOUT;

	*ret_signal = word && word[0] ? signal_parse(word) : 15;
	if (*ret_signal < 0)
		return err_set(err, -EINVAL, "invalid signal: %s", word);
	if (o->stop_timeout)
		timeout = strtol(o->stop_timeout, &end, 10);
	if (o->stop_timeout &&
	    (*end || end == o->stop_timeout || timeout < 0 || timeout > INT32_MAX))
		return err_set(err, -EINVAL, "invalid argument \"%s\" for \"--stop-timeout\" flag",
			       o->stop_timeout);
	*ret_timeout = (int)timeout;
	return 0;
}

static const char *seccomp_word(const struct create_options *o)
{
	for (size_t i = 0; i < o->security_opts.n; i++)
		if (strncmp(o->security_opts.items[i], "seccomp=", 8) == 0)
			return o->security_opts.items[i] + 8;
	return "default";
}

static json_t *typed_words(const struct create_options *o)
{
	json_t *array = json_array();

	for (char *const *word = o->typed; array && word && *word; word++)
		if (json_array_append_new(array, json_string(*word)) < 0)
			break;
	return array;
}

static json_t *format_time(uint64_t ns)
{
	time_t seconds = (time_t)(ns / NS_PER_SEC);
	char text[64];
	struct tm tm;

	(void)gmtime_r(&seconds, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return json_sprintf("%s.%09lluZ", text, (unsigned long long)(ns % NS_PER_SEC));
}

static int make_config(const struct pod *pod, const struct create_options *o,
		       const struct image *image, struct container *c, struct error *err)
{
	__attribute__((cleanup(parts_done))) struct parts p = { .hostname = "" };
	cleanup_json json_t *labels = json_object();
	cleanup_free char *log_path = NULL;
	int stop_signal = 0;
	int stop_timeout = 0;
	int r = make_parts(o, image, c->id, &p, err);

	if (r == 0)
		r = labels ? add_labels(labels, &image->config.labels, err) : err_oom(err);
	if (r == 0)
		r = add_labels(labels, &o->labels, err);
	if (r == 0)
		r = parse_stop(o, image, &stop_signal, &stop_timeout, err);
	if (r == 0)
		r = pod_path(pod, c->id, "userdata/ctr.log", &log_path, err);
	if (r < 0)
		return r;
	c->config = json_pack(
		"{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:O, s:s, s:o, s:o, s:O, s:i, s:i, s:s, s:b, "
		"s:b, s:b, s:s, s:s, s:O, s:o, s:o, s:b, s:s, s:o}",
		"id", c->id, "name", c->name, "createdTime", format_time(c->created_ns),
		"rootfsImageID", image->id, "rootfsImageName", image_name(image), "RawImageName",
		o->image, "runtime", pod->settings.runtime ? pod->settings.runtime : "cryorun",
		"spec", p.spec, "user",
		o->user		     ? o->user
		: image->config.user ? image->config.user
				     : "",
		"entrypoint", config_array(&p.entrypoint), "command", config_array(&p.command),
		"labels", labels, "stopSignal", stop_signal, "stopTimeout", stop_timeout,
		"networkMode", o->network ? o->network : "none", "stdin", o->interactive,
		"privileged", o->privileged, "createWorkingDir", o->workdir == NULL, "logPath",
		log_path, "logDriver", "k8s-file", "namedVolumes", p.volumes, "CreateCommand",
		typed_words(o), "layers", config_array(&image->layers), "autoRemove", o->rm,
		"seccomp", seccomp_word(o), "hostsAdd", config_array(&o->add_hosts));
	return c->config ? 0 : err_oom(err);
}

/* --- remembering ------------------------------------------------------------------- */

static int write_cidfile(const char *path, const char *id, struct error *err)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r;

	if (fd < 0 && errno == EEXIST)
		return err_set(
			err, -EEXIST,
			"container id file exists. Ensure another container is not using it or "
			"delete %s",
			path);
	if (fd < 0)
		return err_sys(err, "create '%s'", path);
	r = fd_write_all(fd, id, strlen(id));
	return r < 0 ? err_set(err, r, "write '%s': %s", path, strerror(-r)) : 0;
}

/* The words that tell who has the name already. */
static int name_taken(struct pod *pod, const char *name, struct error *err)
{
	char id[ID_LEN + 1] = "";
	int r;

	(void)db_find(pod->db, name, id, NULL); /* only for the text */
	r = err_set(
		err, -EEXIST,
		"creating container storage: the container name \"%s\" is already in use by %s. "
		"You have to remove that container to be able to reuse that name: that name is "
		"already in use",
		name, id);
	return r;
}

static int insert(struct pod *pod, const struct create_options *o, const struct image *image,
		  struct container *c, struct error *err)
{
	char name[128];
	int r = -EEXIST;

	for (int i = 0; i < (o->name ? 1 : NAME_TRIES) && r == -EEXIST; i++) {
		if (!o->name) {
			r = name_generate(name, sizeof(name), err);
			if (r < 0)
				return r;
		}
		r = state_set_string(&c->name, o->name ? o->name : name, err);
		if (r < 0)
			return r;
		json_decref(c->config);
		c->config = NULL;
		r = make_config(pod, o, image, c, err);
		if (r < 0)
			return r;
		r = db_insert(pod->db, c, err);
	}
	return r == -EEXIST ? name_taken(pod, c->name, err) : r;
}

static int remember(struct pod *pod, const struct create_options *o, const struct image *image,
		    struct container *c, struct error *err)
{
	cleanup_free char *bundle = NULL;
	cleanup_free char *folder = NULL;
	int r = id_generate(c->id, err);

	c->created_ns = clock_real_ns();
	if (r == 0)
		r = pod_path(pod, c->id, "", &folder, err);
	if (r == 0)
		r = pod_path(pod, c->id, "userdata", &bundle, err);
	if (r == 0)
		r = file_make_dirs_at(AT_FDCWD, bundle, 0700, err);
	if (r == 0)
		r = insert(pod, o, image, c, err);
	if (r < 0 && folder)
		(void)file_remove_tree_at(AT_FDCWD, folder, NULL); /* the failure is what matters */
	return r;
}

/* --replace: whoever has the name goes first. */
static int remove_namesake(struct pod *pod, const char *name, struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	char id[ID_LEN + 1];
	int r = db_find(pod->db, name, id, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = held_take(pod, id, &held, err);
	if (r == 0 && strcmp(held.c.name, name) != 0)
		return 0; /* found by id, not by name */
	return r < 0 ? r : lifecycle_remove(pod, &held, true, DEFAULT_STOP_TIMEOUT, err);
}

int container_create(struct pod *pod, const struct create_options *o, struct container *ret,
		     struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_image struct image *image = NULL;
	cleanup_lock struct lock hold = LOCK_INIT;
	struct store *store = NULL;
	int r = check_options(o, err);

	if (r == 0 && o->name)
		r = name_check(o->name, err);
	if (r == 0 && o->replace && !o->name)
		r = err_set(err, -EINVAL, "cannot replace container without --name being set");
	if (r == 0 && o->replace)
		r = remove_namesake(pod, o->name, err);
	if (r == 0)
		r = pod_store(pod, &store, err);
	if (r == 0) /* the image stays until the container is remembered as its user */
		r = find_image(store, o->image, o->pull, &hold, &image, err);
	if (r == 0)
		r = remember(pod, o, image, &c, err);
	if (r < 0)
		return r;
	if (o->cidfile) {
		r = write_cidfile(o->cidfile, c.id, err);
		if (r < 0) {
			cleanup_held struct held held = HELD_INIT;

			if (held_take(pod, c.id, &held, NULL) == 0)
				(void)lifecycle_remove(pod, &held, true, 0, NULL);
			return r;
		}
	}
	container_done(ret);
	*ret = c;
	c = (struct container)CONTAINER_INIT;
	return 0;
}
