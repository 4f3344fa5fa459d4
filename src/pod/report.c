#include "pod/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "pod/config.h"
#include "pod/container.h"
#include "pod/human.h"
#include "pod/oci.h"
#include "pod/pod.h"
#include "store/image.h"

/* jansson's packer takes NULL for an optional string only; an absent one is "" here. */
static const char *text(const struct container *c, const char *key)
{
	const char *value = container_config_string(c, key);

	return value ? value : "";
}

static json_t *time_value(uint64_t real_ns)
{
	char when[64];

	format_time(real_ns, when, sizeof(when));
	return json_string(when);
}

static int set(json_t *object, const char *key, json_t *value, struct error *err)
{
	return json_object_set_new(object, key, value) < 0 ? err_oom(err) : 0;
}

static int set_if(json_t *object, const char *key, const char *value, struct error *err)
{
	return value ? set(object, key, json_string(value), err) : 0;
}

static int make_state(const struct container *c, json_t **ret, struct error *err)
{
	const struct container_state *s = &c->state;
	int r = 0;
	cleanup_json json_t *state = json_pack(
		"{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:i, s:s, s:o, s:o, s:o, s:o}",
		"OciVersion", "1.0.2", "Status", status_name(s->status), "Running",
		s->status == STATUS_RUNNING, "Paused", s->status == STATUS_PAUSED, "Restarting", 0,
		"OOMKilled", 0, "Dead", 0, "Pid", (int)s->init.host_pid, "ConmonPid",
		(int)s->conmon.host_pid, "ExitCode", s->exit_code, "Error", "", "StartedAt",
		time_value(s->started_ns), "FinishedAt", time_value(s->finished_ns),
		"CheckpointedAt", time_value(s->checkpointed_ns), "RestoredAt",
		time_value(s->restored_ns));

	if (!state)
		return err_oom(err);
	/* These four are only there when they say something. */
	if (s->checkpointed)
		r = set(state, "Checkpointed", json_true(), err);
	if (r == 0 && s->restored)
		r = set(state, "Restored", json_true(), err);
	if (r == 0)
		r = set_if(state, "CheckpointPath", s->checkpoint_path, err);
	if (r == 0)
		r = set_if(state, "CheckpointLog", s->checkpoint_log, err);
	if (r == 0)
		r = set_if(state, "RestoreLog", s->restore_log, err);
	if (r == 0)
		*ret = take_ptr(&state);
	return r;
}

static const json_t *spec_of(const struct container *c)
{
	return json_object_get(c->config, "spec");
}

static json_t *process_field(const struct container *c, const char *key)
{
	json_t *value = json_object_get(json_object_get(spec_of(c), "process"), key);

	return value ? json_incref(value) : json_null();
}

static json_t *config_field(const struct container *c, const char *key)
{
	json_t *value = json_object_get(c->config, key);

	return value ? json_incref(value) : json_null();
}

static json_t *capability_field(const struct container *c, const char *key)
{
	const json_t *process = json_object_get(spec_of(c), "process");
	json_t *value = json_object_get(json_object_get(process, "capabilities"), key);

	return value ? json_incref(value) : json_array();
}

static const char *hostname(const struct container *c)
{
	const char *name = json_string_value(json_object_get(spec_of(c), "hostname"));

	return name ? name : "";
}

/* --- mounts ------------------------------------------------------------------- */

static bool has_word(const json_t *options, const char *word)
{
	const json_t *item;
	size_t i;

	json_array_foreach(options, i,
			   item) if (json_is_string(item) &&
				     strcmp(json_string_value(item), word) == 0) return true;
	return false;
}

/* What the user mounted: binds and named volumes, not the runtime's own file systems. */
static int add_mount(const struct pod *pod, const json_t *mount, json_t *list, struct error *err)
{
	const char *type = json_string_value(json_object_get(mount, "type"));
	const char *source = json_string_value(json_object_get(mount, "source"));
	json_t *options = json_object_get(mount, "options");
	bool named = source && strncmp(source, "volume:", 7) == 0;
	json_t *row;

	if (!type || !source || strcmp(type, "bind") != 0)
		return 0;
	row = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:O?, s:b, s:s}", "Type",
			named ? "volume" : "bind", "Name", named ? source + 7 : "", "Source",
			named ? json_sprintf("%s/volumes/%s/_data", pod->root, source + 7)
			      : json_string(source),
			"Destination", json_string_value(json_object_get(mount, "destination")),
			"Driver", named ? "local" : "", "Mode", "", "Propagation", "rprivate",
			"Options", options, "RW", !has_word(options, "ro"), "SubPath", "");
	return json_array_append_new(list, row) < 0 ? err_oom(err) : 0;
}

static int make_mounts(const struct pod *pod, const struct container *c, json_t **ret,
		       struct error *err)
{
	cleanup_json json_t *list = json_array();
	const json_t *mount;
	size_t i;
	int r = list ? 0 : err_oom(err);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(spec_of(c), "mounts"), i, mount)
	{
		r = add_mount(pod, mount, list, err);
		if (r < 0)
			return r;
	}
	*ret = take_ptr(&list);
	return 0;
}

static int make_graph(const struct pod *pod, const struct container *c, json_t **ret,
		      struct error *err)
{
	cleanup_strv struct strv layers = STRV_INIT;
	cleanup_free char *dir = NULL;
	json_t *lower = json_string("");
	int r = pod_path(pod, c->id, "", &dir, err);

	if (r == 0)
		r = config_strings(c->config, "layers", &layers, err);
	for (size_t i = 0; r == 0 && i < layers.n; i++) {
		json_t *longer = json_sprintf("%s%s%s", json_string_value(lower), i > 0 ? ":" : "",
					      layers.items[i]);

		json_decref(lower);
		lower = longer;
		if (!lower)
			return err_oom(err);
	}
	if (r < 0) {
		json_decref(lower);
		return r;
	}
	*ret = json_pack("{s:s, s:{s:o, s:o, s:o, s:o}}", "Name", "overlay", "Data", "LowerDir",
			 lower, "MergedDir", json_sprintf("%s/merged", dir), "UpperDir",
			 json_sprintf("%s/upper", dir), "WorkDir", json_sprintf("%s/work", dir));
	return *ret ? 0 : err_oom(err);
}

/* --- the two halves of the configuration ------------------------------------------ */

static int make_config(const struct container *c, json_t **ret, struct error *err)
{
	*ret = json_pack(
		"{s:s, s:s, s:s, s:o, s:b, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"Hostname", hostname(c), "Domainname", "", "User", text(c, "user"), "Tty",
		process_field(c, "terminal"), "OpenStdin", container_config_bool(c, "stdin"), "Env",
		process_field(c, "env"), "Cmd", config_field(c, "command"), "Image",
		text(c, "rootfsImageName"), "WorkingDir", process_field(c, "cwd"), "Entrypoint",
		config_field(c, "entrypoint"), "Labels", config_field(c, "labels"), "Annotations",
		json_deep_copy(json_object_get(spec_of(c), "annotations")), "StopSignal",
		config_field(c, "stopSignal"), "StopTimeout", config_field(c, "stopTimeout"),
		"CreateCommand", config_field(c, "CreateCommand"));
	return *ret ? 0 : err_oom(err);
}

static const char *namespace_mode(const struct container *c, const char *type)
{
	const json_t *list = json_object_get(json_object_get(spec_of(c), "linux"), "namespaces");
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *there = json_string_value(json_object_get(item, "type"));

		if (there && strcmp(there, type) == 0)
			return "private";
	}
	return "host";
}

static int make_host_config(const struct container *c, json_t **ret, struct error *err)
{
	const json_t *root = json_object_get(spec_of(c), "root");

	*ret = json_pack(
		"{s:s, s:{s:s, s:s}, s:s, s:{}, s:{s:s, s:i}, s:b, s:s, s:s, s:s, s:b, s:b, s:s}",
		"CgroupManager", "cgroupfs", "LogConfig", "Type", "k8s-file", "Path",
		text(c, "logPath"), "NetworkMode", text(c, "networkMode"), "PortBindings",
		"RestartPolicy", "Name", "", "MaximumRetryCount", 0, "AutoRemove",
		container_config_bool(c, "autoRemove"), "IpcMode", namespace_mode(c, "ipc"),
		"PidMode", namespace_mode(c, "pid"), "UTSMode", namespace_mode(c, "uts"),
		"Privileged", container_config_bool(c, "privileged"), "ReadonlyRootfs",
		json_is_true(json_object_get(root, "readonly")), "Runtime", "oci");
	return *ret ? 0 : err_oom(err);
}

/* --- all of it ---------------------------------------------------------------------- */

static json_t *path_value(const struct pod *pod, const struct container *c, const char *name)
{
	return json_sprintf("%s/containers/%s/userdata%s%s", pod->root, c->id, name[0] ? "/" : "",
			    name);
}

static json_t *args_without_first(const struct container *c)
{
	cleanup_json json_t *args = process_field(c, "args");
	json_t *copy = json_copy(args);

	if (json_array_size(copy) > 0)
		(void)json_array_remove(copy, 0); /* can't fail: it is there */
	return copy;
}

static int set_parts(const struct pod *pod, const struct container *c, json_t *all,
		     struct error *err)
{
	static int (*const makers[])(const struct container *, json_t **, struct error *) = {
		make_state,
		make_config,
		make_host_config,
	};
	static const char *const keys[] = { "State", "Config", "HostConfig" };
	json_t *part = NULL;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(makers) && r == 0; i++) {
		r = makers[i](c, &part, err);
		if (r == 0)
			r = set(all, keys[i], part, err);
	}
	if (r == 0)
		r = make_mounts(pod, c, &part, err);
	if (r == 0)
		r = set(all, "Mounts", part, err);
	if (r == 0)
		r = make_graph(pod, c, &part, err);
	return r < 0 ? r : set(all, "GraphDriver", part, err);
}

int report_container(const struct pod *pod, const struct container *c, json_t **ret,
		     struct error *err)
{
	const json_t *process = json_object_get(spec_of(c), "process");
	const char *first = json_string_value(json_array_get(json_object_get(process, "args"), 0));
	int r;
	cleanup_json json_t *all = json_pack(
		"{s:s, s:o, s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:s, s:i, "
		"s:s, s:o, s:o, s:[], s:{s:s, s:s, s:{}, s:{}}}",
		"Id", c->id, "Created", time_value(c->created_ns), "Path", first ? first : "",
		"Args", args_without_first(c), "Image", text(c, "rootfsImageID"), "ImageName",
		text(c, "rootfsImageName"), "Rootfs", "", "Pod", "", "StaticDir",
		path_value(pod, c, ""), "OCIRuntime", oci_runtime_name(c), "OCIConfigPath",
		path_value(pod, c, "config.json"), "ConmonPidFile",
		path_value(pod, c, "conmon.pid"), "PidFile", path_value(pod, c, "pidfile"),
		"LogPath", text(c, "logPath"), "Name", c->name, "RestartCount", 0, "Driver",
		"overlay", "EffectiveCaps", capability_field(c, "effective"), "BoundingCaps",
		capability_field(c, "bounding"), "ExecIDs", "NetworkSettings", "IPAddress", "",
		"MacAddress", "", "Ports", "Networks");

	if (!all)
		return err_oom(err);
	r = set_parts(pod, c, all, err);
	if (r == 0)
		*ret = take_ptr(&all);
	return r;
}

/* "key=value" words as an object */
static json_t *pairs(const struct strv *words)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < words->n; i++) {
		char key[512];
		const char *equals = strchr(words->items[i], '=');

		(void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(words->items[i], "="),
			       words->items[i]);
		if (json_object_set_new(object, key, json_string(equals ? equals + 1 : "")) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

int report_image(const struct image *image, json_t **ret, struct error *err)
{
	const struct image_config *config = &image->config;
	uint64_t created_ns = image->created > 0 ? (uint64_t)image->created * 1000000000 : 0;

	*ret = json_pack(
		"{s:s, s:s, s:o, s:o, s:s, s:o, s:{s:s, s:o, s:o, s:o, s:s, s:o, s:s}, s:s, s:s, s:s, "
		"s:I, s:I, s:{s:s, s:o}, s:o, s:o, s:s}",
		"Id", image->id, "Digest", or_empty(image->digest), "RepoTags",
		config_array(&image->names), "RepoDigests", config_array(&image->digests),
		"Comment", or_empty(image->comment), "Created", time_value(created_ns), "Config",
		"User", or_empty(config->user), "Env", config_array(&config->env), "Entrypoint",
		config_array(&config->entrypoint), "Cmd", config_array(&config->cmd), "WorkingDir",
		or_empty(config->workdir), "Labels", pairs(&config->labels), "StopSignal",
		or_empty(config->stop_signal), "Author", or_empty(image->author), "Architecture",
		or_empty(image->architecture), "Os", or_empty(image->os), "Size",
		(json_int_t)image->size, "VirtualSize", (json_int_t)image->size, "RootFS", "Type",
		"layers", "Layers", config_array(&image->diff_ids), "Labels",
		pairs(&config->labels), "Annotations", pairs(&image->annotations), "User",
		or_empty(config->user));
	return *ret ? 0 : err_oom(err);
}
